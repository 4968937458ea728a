"""Batches of images: exact under threads and order, bad rows that stay rows; DALI's twin of all of it."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torchvision.transforms import functional as TF

from cfimage import dali
from cfimage.batches import IMAGENET, eval_batches, previews, sample_shape, thumbnails, train_batches
from cfimage.decoder_choice import DECODERS, RESOLVED, resolved_decoder
from cfvideo.core import dali_library
from cfvideo.core.errors import ConfigError, DecodeError
from cfvideo.core.index import Index
from cfvideo.core.records import Batch, Draws, Reading
from cfvideo.core.specs import ClipSpec, DataSpec
from tests.cfimage.conftest import BAD, MAX_PIXELS

VIEW = dataclasses.asdict(ClipSpec(short_edge_px=40, crop_px=32, cell_px=12, patch_px=9, permutations=30))
NUM_GOOD = 8
needs_dali = pytest.mark.skipif(not dali_library.is_installed(), reason="DALI is not installed")


def evaluated(index: Index, decoder: str = "pillow", rows: Any = None, num_views: int = 1, batch_rows: int = 5,
              threads: int = 2, known_bad: Any = None, **view: Any) -> list[Batch]:
    rows = np.arange(index.num_rows) if rows is None else np.array(rows, np.int64)
    reading = Reading(decoder=decoder, threads=threads, max_frame_pixels=MAX_PIXELS, known_bad=known_bad or {})
    return list(eval_batches(index, rows, view=VIEW | view, num_views=num_views, batch_rows=batch_rows,
                             reading=reading))


def trained(index: Index, decoder: str = "pillow", rows: Any = None, epoch: int = 0, seed: int = 3, threads: int = 2,
            **view: Any) -> Batch:
    rows = np.arange(index.num_rows) if rows is None else np.array(rows, np.int64)
    draws = [Draws(rows, np.full(len(rows), epoch, np.int64))]
    reading = Reading(decoder=decoder, threads=threads, max_frame_pixels=MAX_PIXELS)
    (batch,) = train_batches(index, draws, view=VIEW | view, seed=seed, reading=reading)
    return batch


def levels(data: torch.Tensor) -> NDArray[np.float32]:
    """Grey levels [..., H, W, 3] of normalised data [..., 3, H, W]."""
    restored: NDArray[np.float32] = (data.movedim(-3, -1).numpy() * IMAGENET.std + IMAGENET.mean) * 255
    return restored


def worst(one: list[Batch], other: list[Batch]) -> float:
    """The largest difference in grey levels; everything else must be equal."""
    for a, b in zip(one, other, strict=True):
        for name in ("rows", "views", "valid", "targets"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert [(failure.row, failure.status) for failure in a.failures] == [(f.row, f.status) for f in b.failures]
    return max(float(np.abs(levels(a.data) - levels(b.data)).max()) for a, b in zip(one, other, strict=True))


def test_evaluation_is_torchvisions_resize_and_centre_crop(index: Index) -> None:
    batch = evaluated(index, rows=[3], batch_rows=1)[0]
    with Image.open(index.path_of(3)) as image:
        expected = np.asarray(TF.center_crop(TF.resize(image, [40]), [32]))
    np.testing.assert_allclose(levels(batch.data)[0], expected, atol=1e-3)


def test_batches_of_one_shape_with_bad_rows_and_padding_invalid_and_zero(index: Index) -> None:
    batches = evaluated(index, num_views=2)
    assert [tuple(batch.data.shape) for batch in batches] == [(10, 3, 32, 32)] * 3
    rows, valid = (np.concatenate([getattr(batch, name) for batch in batches]) for name in ("rows", "valid"))
    assert rows[::2].tolist() == [*range(13), -1, -1]
    assert valid.tolist() == [True] * (2 * NUM_GOOD) + [False] * 14
    assert batches[0].views.tolist() == [0, 1] * 5
    assert all(not batch.data[torch.from_numpy(~batch.valid)].any() for batch in batches)
    failures = {index.name_of(failure.row): failure.status for batch in batches for failure in batch.failures}
    assert failures == BAD
    assert sum(batch.decoders.get("pillow", 0) for batch in batches) == NUM_GOOD
    assert batches[0].targets is None


def test_squeezed_pictures_are_pillows_resize_and_the_same_rows_fail(index: Index) -> None:
    batches = evaluated(index, squeeze=True)
    seen = {int(row): levels(one) for batch in batches for row, one in zip(batch.rows, batch.data, strict=True)}
    for row in range(NUM_GOOD):
        with Image.open(index.path_of(row)) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
            expected = np.asarray(upright.resize((32, 32), Image.Resampling.BILINEAR))
        np.testing.assert_allclose(seen[row], expected, atol=1e-3)
    failures = {index.name_of(failure.row): failure.status for batch in batches for failure in batch.failures}
    # Of all bad files, the sliver alone was one for being scaled by its short edge.
    assert failures == {name: status for name, status in BAD.items() if name != "c/5_sliver.jpg"}


def test_rows_known_to_be_bad_are_not_opened(index: Index) -> None:
    (batch,) = evaluated(index, rows=[0, 1], batch_rows=2, known_bad={index.content_hash: {1: ("crashed", "long ago")}})
    assert [(failure.row, failure.status, failure.cause) for failure in batch.failures] == [(1, "crashed", "long ago")]


def test_evaluation_does_not_depend_on_threads_or_batches(index: Index) -> None:
    def of(batches: list[Batch]) -> torch.Tensor:
        return torch.cat([batch.data[batch.rows >= 0] for batch in batches])

    reference = of(evaluated(index, threads=1))
    for threads, batch_rows in ((2, 4), (4, 1), (2, 13)):
        found = of(evaluated(index, threads=threads, batch_rows=batch_rows))
        torch.testing.assert_close(found, reference, rtol=0, atol=0)


@pytest.mark.parametrize("task", ["labels", "rotnet", "jigsaw"])
def test_training_draws_depend_on_seed_epoch_and_row_alone(index: Index, task: str) -> None:
    view = {"task": task, "grey": 0.3}
    rows = [0, 1, 2, 3, 4]
    reference = trained(index, rows=rows, **view)
    assert tuple(reference.data.shape) == (5, *sample_shape(VIEW | view))
    backwards = trained(index, rows=rows[::-1], threads=4, **view)
    torch.testing.assert_close(backwards.data.flip(0), reference.data, rtol=0, atol=0)
    for changed in (trained(index, rows=rows, epoch=1, **view), trained(index, rows=rows, seed=4, **view)):
        assert not torch.equal(changed.data, reference.data)
    if task == "labels":
        assert reference.targets is None
    else:
        assert reference.targets is not None
        assert backwards.targets is not None
        assert backwards.targets[::-1].tolist() == reference.targets.tolist()


@pytest.mark.parametrize("flip", [False, True])
def test_rotnets_classes_are_the_turns_of_the_pictures(index: Index, *, flip: bool) -> None:
    """Turned back by its class, a view is one that labels would have drawn, mirrored or not (whole squares: the draws
    are few)."""
    view = {"crop_area": (), "crop_px": 40, "flip": flip}
    whole = levels(evaluated(index, rows=[5], batch_rows=1, num_views=3, crop_px=40)[0].data)
    wide = np.concatenate([whole[0], whole[2][:, -13:]], axis=1)  # 53 x 40, the scaled picture
    seen = set()
    for epoch in range(40 if flip else 12):
        batch = trained(index, rows=[5], epoch=epoch, task="rotnet", **view)
        assert batch.targets is not None
        turned = np.rot90(levels(batch.data)[0], -int(batch.targets[0]))
        apart = [min(np.abs(picture[:, left:left + 40] - turned).max() for left in range(14))
                 for picture in (wide, wide[:, ::-1])]
        assert min(apart) < 3
        seen.add((int(batch.targets[0]), bool(np.argmin(apart))))
    assert seen == {(turns, is_mirrored) for turns in range(4) for is_mirrored in {False, flip}}


def test_bad_rows_have_no_class(index: Index) -> None:
    batch = trained(index, task="jigsaw")
    assert batch.targets is not None
    assert batch.valid.tolist() == [True] * NUM_GOOD + [False] * 5
    assert (batch.targets[~batch.valid] == -1).all()
    assert (batch.targets[batch.valid] >= 0).all()
    assert tuple(batch.data.shape) == (13, 9, 3, 9, 9)
    assert not batch.data[torch.from_numpy(~batch.valid)].any()


def test_a_networks_own_statistics_are_used(index: Index) -> None:
    own = {"mean": [0.1, 0.2, 0.3], "std": [1.0, 1.0, 1.0]}
    for decoder in ("pillow", "dali_cpu") if dali_library.is_installed() else ("pillow",):
        changed, usual = (evaluated(index, decoder, rows=[2], batch_rows=1, **view)[0].data for view in (own, {}))
        expected = levels(usual) / 255 - own["mean"]
        np.testing.assert_allclose(changed.movedim(1, -1).numpy(), expected, atol=1e-4)


def test_memory_is_channels_last(index: Index) -> None:
    assert evaluated(index)[0].data.is_contiguous(memory_format=torch.channels_last)
    patches = trained(index, rows=[0, 1], task="jigsaw").data
    assert patches.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


def test_thumbnails(index: Index) -> None:
    pictures = list(thumbnails(index, [0, 7, 8], height_px=20, reading=Reading(max_frame_pixels=MAX_PIXELS)))
    assert [None if one is None else one.shape for one in pictures] == [(20, 22, 3), (20, 15, 3), None]


def test_a_preview_is_the_picture_as_one_frame_or_says_why(index: Index) -> None:
    reading = Reading(max_frame_pixels=MAX_PIXELS)
    found = list(previews(index, [0, 8, 7], view=VIEW, num_frames=8, height_px=20, reading=reading))
    assert [one.shape if not isinstance(one, DecodeError) else one.row for one in found] == [(1, 20, 22, 3), 8,
                                                                                            (1, 20, 15, 3)]


def test_a_consumer_that_stops_leaves_no_thread(index: Index) -> None:
    reading = Reading(decoder="pillow")
    batches = eval_batches(index, np.arange(13), view=VIEW, num_views=1, batch_rows=1, reading=reading)
    next(batches)
    batches.close()  # type: ignore[attr-defined]  # a generator
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


# --- DALI -------------------------------------------------------------------------------------------------------

@needs_dali
def test_dali_gives_pillows_batches_and_tells_what_decoded(index: Index) -> None:
    found = evaluated(index, "dali_cpu", num_views=2)
    assert worst(found, evaluated(index, num_views=2)) < 1.01
    # The PNG, the CMYK and the turned JPEG are Pillow's.
    assert sum((batch.decoders for batch in found), start=type(found[0].decoders)()) == {"dali_cpu": 5, "pillow": 3}


@needs_dali
def test_dali_squeezes_as_pillow_does(index: Index) -> None:
    assert worst(evaluated(index, "dali_cpu", squeeze=True), evaluated(index, squeeze=True)) < 1.01


@needs_dali
@pytest.mark.parametrize("task", ["labels", "rotnet", "jigsaw"])
@pytest.mark.parametrize("area", [(0.3, 1.0), ()])
def test_dali_makes_the_same_draws(index: Index, task: str, area: tuple[float, ...]) -> None:
    view = {"task": task, "crop_area": area, "grey": 0.4, "pad_px": 2}
    assert worst([trained(index, "dali_cpu", **view)], [trained(index, **view)]) < 1.01


@needs_dali
def test_a_file_that_dali_fails_over_costs_nobody_else(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    decode, calls = dali._decoded, list[int]()

    def failing(decoder: str, plans: Any) -> list[torch.Tensor]:
        calls.append(len(plans))
        if any(plan.row == 1 for plan in plans):
            raise dali_library.Undecoded("no")
        return decode(decoder, plans)

    monkeypatch.setattr(dali, "_decoded", failing)
    found = evaluated(index, "dali_cpu", rows=[0, 1, 2], batch_rows=3)
    assert found[0].decoders == {"dali_cpu": 2, "pillow": 1}
    assert calls == [3, 1, 1, 1]
    assert worst(found, evaluated(index, rows=[0, 1, 2], batch_rows=3)) < 1.01


@needs_dali
def test_large_pictures_are_decoded_in_several_calls(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = evaluated(index, "dali_cpu")
    monkeypatch.setattr(dali_library, "BYTES_AT_ONCE", 1)
    assert worst(evaluated(index, "dali_cpu"), expected) == 0


@pytest.mark.gpu
def test_dali_on_a_gpu(index: Index) -> None:
    found = evaluated(index, "dali_gpu", num_views=2)
    assert found[0].data.is_cuda
    host = [dataclasses.replace(batch, data=batch.data.cpu()) for batch in found]
    # nvJPEG's transforms differ from libjpeg's by a level or two before scaling.
    assert worst(host, evaluated(index, num_views=2)) < 8


# --- DATA.DECODER -----------------------------------------------------------------------------------------------

def test_the_config_and_the_images_know_the_same_words() -> None:
    assert set(DECODERS) < set(DataSpec.__dataclass_fields__["decoder"].metadata["choices"])


@pytest.mark.parametrize("word", DECODERS)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_fingerprints_get_a_resolved_name(monkeypatch: pytest.MonkeyPatch, word: str, device: str) -> None:
    monkeypatch.setattr(dali_library, "load", lambda: None)
    monkeypatch.setattr(dali_library, "is_installed", lambda: True)
    name = resolved_decoder(word, device)
    assert name in RESOLVED
    assert resolved_decoder(name, device) == name
    expected = {("auto", "cuda"): "dali_gpu", ("dali", "cuda"): "dali_gpu", ("dali", "cpu"): "dali_cpu"}
    assert name == expected.get((word, device), "pillow")


def test_without_dali_pillow_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dali_library, "is_installed", lambda: False)
    assert resolved_decoder("auto", "cuda") == "pillow"
    with pytest.raises(ConfigError, match="'pyav' decodes no images; allowed: auto, pillow, dali"):
        resolved_decoder("pyav", "cpu")
