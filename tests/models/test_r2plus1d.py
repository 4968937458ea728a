"""R(2+1)D against published parameter counts and against torchvision's own network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.video import r2plus1d_18

from cfvideo.models.r2plus1d import BLOCKS, BN_EPS, LAYERS, R2Plus1D, num_midplanes

Variant = Literal["caffe2", "torchvision"]
TINY = {"blocks": (1, 1, 1, 1), "widths": (4, 6, 8, 10)}


def count_parameters(depth: int, num_classes: int, midplanes: Variant) -> int:
    with torch.device("meta"):
        network = R2Plus1D(num_classes=num_classes, blocks=BLOCKS[depth], midplanes=midplanes)
    return sum(parameter.numel() for parameter in network.parameters())


def tiny(*, seed: int = 0, num_classes: int = 5, midplanes: Variant = "caffe2") -> R2Plus1D:
    network = R2Plus1D(num_classes=num_classes, blocks=TINY["blocks"], widths=TINY["widths"], midplanes=midplanes)
    network.initialise(torch.Generator().manual_seed(seed))
    return network


def random_clips(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("depth", "num_classes", "midplanes", "expected"), [
    (18, 400, "caffe2", 33_370_839),
    (34, 400, "caffe2", 63_697_175),
    (18, 400, "torchvision", 31_505_325),
    (34, 400, "torchvision", 61_831_661),
    (18, 438, "caffe2", 33_390_333),
    (34, 438, "caffe2", 63_716_669),
    (18, 438, "torchvision", 31_524_819),
    (34, 438, "torchvision", 61_851_155),
    (18, 487, "caffe2", 33_415_470),
    (34, 487, "caffe2", 63_741_806),
    (18, 487, "torchvision", 31_549_956),
    (34, 487, "torchvision", 61_876_292),
])
def test_parameter_counts_are_the_published_ones(depth: int, num_classes: int, midplanes: Variant,
                                                 expected: int) -> None:
    assert count_parameters(depth, num_classes, midplanes) == expected


@pytest.mark.parametrize(("in_planes", "planes", "mid"), [
    (64, 64, 144), (64, 128, 230), (128, 128, 288), (128, 256, 460), (256, 512, 921), (512, 512, 1152)])
def test_midplanes_follow_the_parameter_matching_rule(in_planes: int, planes: int, mid: int) -> None:
    assert num_midplanes(in_planes, planes) == mid


def test_only_the_second_convolutions_of_the_striding_blocks_differ_between_the_variants() -> None:
    with torch.device("meta"):
        ours, theirs = (R2Plus1D(num_classes=2, midplanes=variant).state_dict() for variant in BN_EPS)
    differing = {key.split(".0.conv2")[0] for key, value in ours.items() if value.shape != theirs[key].shape}
    assert differing == {"layer2", "layer3", "layer4"}
    assert ours["layer2.0.conv2.0.0.weight"].shape[0] == 288
    assert theirs["layer2.0.conv2.0.0.weight"].shape[0] == 230


def recorded_maps(network: R2Plus1D) -> dict[str, Tensor]:
    """Filled with every stage's output by the network's next forward pass."""
    maps: dict[str, Tensor] = {}
    for name, part in zip(LAYERS, ("stem", "layer1", "layer2", "layer3", "layer4"), strict=True):
        network.get_submodule(part).register_forward_hook(
            lambda _module, _given, out, name=name: maps.update({name: out}))
    return maps


@pytest.mark.parametrize(("num_frames", "frames_at_res5"), [(32, 4), (8, 1)])
def test_time_shrinks_as_in_the_paper_and_features_have_512_numbers(num_frames: int, frames_at_res5: int) -> None:
    with torch.device("meta"):
        network = R2Plus1D(num_classes=400)
        maps = recorded_maps(network)
        features = network.features(torch.empty(2, 3, num_frames, 112, 112))
    assert tuple(maps) == LAYERS == network.layers
    assert maps["conv1"].shape == (2, 64, num_frames, 56, 56)
    assert maps["res5"].shape == (2, 512, frames_at_res5, 7, 7)
    assert features.shape == (2, 512)
    assert network.feature_dim == 512


def torchvision_pair() -> tuple[R2Plus1D, nn.Module]:
    """Both 18-layer networks under one set of random weights, batch statistics included."""
    generator = torch.Generator().manual_seed(3)
    ours = R2Plus1D(num_classes=7, midplanes="torchvision")
    ours.initialise(generator)
    for name, buffer in ours.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5, generator=generator)
    theirs = r2plus1d_18(num_classes=7)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    return ours, theirs


def relative_gap(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).abs().max() / expected.abs().max().clamp_min(1e-12))


def test_the_state_dict_has_torchvisions_keys_and_shapes() -> None:
    with torch.device("meta"):
        ours = R2Plus1D(num_classes=400, midplanes="torchvision").state_dict()
        theirs = r2plus1d_18().state_dict()
    assert list(ours) == list(theirs)
    assert all(ours[key].shape == theirs[key].shape for key in ours)


def test_outputs_equal_torchvisions_in_eval_mode() -> None:
    ours, theirs = (network.eval() for network in torchvision_pair())
    clips = random_clips(2, 3, 8, 40, 32)
    with torch.no_grad():
        assert relative_gap(ours(clips), theirs(clips)) < 1e-4


def test_outputs_gradients_and_running_statistics_equal_torchvisions_in_train_mode() -> None:
    """In float64, where a wrong layer cannot hide behind rounding that batch norm amplifies."""
    ours, theirs = (network.double().train() for network in torchvision_pair())
    clips, labels = random_clips(3, 3, 8, 24, 32).double(), torch.tensor([0, 3, 6])
    ours_clips, theirs_clips = clips.clone().requires_grad_(), clips.clone().requires_grad_()
    for network, data in ((ours, ours_clips), (theirs, theirs_clips)):
        nn.functional.cross_entropy(network(data), labels).backward()
    assert ours_clips.grad is not None
    assert theirs_clips.grad is not None
    assert relative_gap(ours_clips.grad, theirs_clips.grad) < 1e-8
    expected = dict(theirs.named_parameters())
    gaps = {name: relative_gap(_grad(parameter), _grad(expected[name])) for name, parameter in ours.named_parameters()}
    assert max(gaps.values()) < 1e-8, max(gaps, key=lambda name: gaps[name])
    statistics = dict(theirs.named_buffers())
    for name, buffer in ours.named_buffers():
        torch.testing.assert_close(buffer, statistics[name], rtol=1e-10, atol=1e-12, msg=name)


def _grad(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def test_running_statistics_stand_still_in_eval_mode() -> None:
    network = tiny().eval()
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    network(random_clips(2, 3, 8, 16, 16))
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())


@pytest.mark.parametrize(("midplanes", "eps"), [("caffe2", 1e-3), ("torchvision", 1e-5)])
def test_batch_norm_has_the_eps_of_its_variant_and_pytorchs_momentum(midplanes: Variant, eps: float) -> None:
    norms = [module for module in tiny(midplanes=midplanes).modules() if isinstance(module, nn.BatchNorm3d)]
    assert len(norms) > 10
    assert {norm.eps for norm in norms} == {eps}
    assert {norm.momentum for norm in norms} == {0.1}


def test_initialise_depends_on_its_generator_alone() -> None:
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(99)
        network = R2Plus1D(num_classes=5, blocks=TINY["blocks"], widths=TINY["widths"])
        before = torch.random.get_rng_state()
        network.initialise(torch.Generator().manual_seed(4))
        assert torch.equal(torch.random.get_rng_state(), before)
    assert _equal_states(network, tiny(seed=4))
    assert not _equal_states(network, tiny(seed=5))


def test_initialise_forgets_what_was_trained() -> None:
    network = tiny(seed=4).train()
    network(random_clips(2, 3, 8, 16, 16)).sum().backward()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    network.initialise(torch.Generator().manual_seed(4))
    assert _equal_states(network, tiny(seed=4))


def _equal_states(one: nn.Module, other: nn.Module) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[key]) for key, value in one.state_dict().items())


@pytest.mark.parametrize("widths", [(1, 1, 1, 1), (2, 3, 5, 7), (16, 32, 64, 128)])
def test_small_widths_work_and_give_the_last_as_feature(widths: Sequence[int]) -> None:
    network = R2Plus1D(num_classes=3, blocks=(1, 1, 1, 1), widths=widths).eval()
    network.initialise(torch.Generator().manual_seed(0))
    clips = random_clips(2, 3, 4, 16, 16)
    assert network(clips).shape == (2, 3)
    assert network.features(clips).shape == (2, widths[3])
    assert all(parameter.numel() for parameter in network.parameters())


def test_pooled_layers_are_their_maps_averages_in_the_order_asked_for() -> None:
    network, clips = tiny().eval(), random_clips(2, 3, 8, 16, 16)
    maps = recorded_maps(network)
    pooled = network.pooled(clips, ("res5", "conv1", "res3"))
    assert list(pooled) == ["res5", "conv1", "res3"]
    for name, value in pooled.items():
        torch.testing.assert_close(value, maps[name].mean(dim=(2, 3, 4)))
        assert torch.equal(value, network.features(clips, name))


def test_a_pass_ends_at_the_deepest_layer_asked_for() -> None:
    network = tiny().eval()
    maps = recorded_maps(network)
    network.pooled(random_clips(2, 3, 8, 16, 16), ("res2", "conv1"))
    assert list(maps) == ["conv1", "res2"]


def test_an_unknown_layer_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"res6.*conv1, res2, res3, res4, res5"):
        tiny().eval().features(random_clips(1, 3, 4, 16, 16), "res6")


@pytest.mark.parametrize("wrong", [{"blocks": (1, 1, 1)}, {"widths": (4, 4, 4, 4, 4)}])
def test_a_wrong_number_of_stages_is_refused(wrong: dict[str, Sequence[int]]) -> None:
    with pytest.raises(ValueError, match="one number per stage"):
        R2Plus1D(num_classes=2, **wrong)
