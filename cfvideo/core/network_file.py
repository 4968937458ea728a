"""A network on disk: weights.safetensors, whose header says how to build it and what it expects to be fed.

Header: `architecture`, the arguments of Modality.build_network (with `bn_eps` where the weights need another epsilon
than is usual for their network); `num_classes`, 0 where there is no head; `class_names`, in the head's order, but for
pretext tasks; `view`, what train_batches and eval_batches take (with `mean` and `std` where they differ from the
modality's); `source`, where imported weights came from.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import nn

from cfvideo.core.backbone import Backbone
from cfvideo.core.errors import ConfigError, IntegrityError
from cfvideo.core.matching import match
from cfvideo.core.network_facts import check_facts
from cfvideo.core.records import Modality
from cfvideo.core.tensors import load_header, load_tensors, save_tensors

FILE_NAME = "weights.safetensors"
_NEEDED = ("architecture", "num_classes", "view")
Network = TypeVar("Network")


def save_network(folder: Path, network: Backbone, *, architecture: Mapping[str, Any], num_classes: int,
                 view: Mapping[str, Any], class_names: Sequence[str] = ()) -> None:
    """Publish weights, the arguments of Modality.build_network, the view the network was trained on, and what its
    classes are called, where they have names."""
    write_network(folder / FILE_NAME, cast(nn.Module, network).state_dict(), architecture=architecture,
                  num_classes=num_classes, view=view, class_names=class_names)


def write_network(path: Path, state: Mapping[str, torch.Tensor], *, architecture: Mapping[str, Any], num_classes: int,
                  view: Mapping[str, Any], class_names: Sequence[str] = (), **more: Any) -> None:
    """Publish one network file, atomically; `more` goes into the header.

    Raises:
        IntegrityError: the names are not one per class.
    """
    named = {"class_names": list(class_names)} if len(class_names) else {}
    header = {"architecture": dict(architecture), "num_classes": num_classes, "view": dict(view), **named, **more}
    save_tensors(path, state, _checked(path, header))


def network_path(path: Path) -> Path:
    """The network file that `path` is, or that lies in the folder `path`."""
    return path / FILE_NAME if path.is_dir() else path


def read_header(path: Path) -> dict[str, Any]:
    """Header of a network file, or of the one in a folder, without reading a tensor: what N_PRE.WEIGHTS brings along.

    Raises:
        IntegrityError: missing, unreadable, or not a network of ours.
    """
    return _checked(network_path(path), load_header(network_path(path)))


def is_network_file(path: Path) -> bool:
    """Whether a safetensors file has a header such as ours, whatever it says."""
    try:
        return load_header(path).keys() >= set(_NEEDED)
    except IntegrityError:
        return False


def load_network(path: Path, modality: Modality) -> Backbone:
    """The network of one file (or of the one in a folder), in evaluation mode on the CPU.

    Raises:
        IntegrityError: damaged, not a network file, or a name or shape does not match, with the names.
    """
    path = network_path(path)
    tensors, header = load_tensors(path)
    header = _checked(path, header)
    asked = {"num_classes": header["num_classes"], **header["architecture"]}
    # What a file asks for takes memory only once its tensors have proved to be that.
    outline = cast(nn.Module, outlined(modality.build_network, str(path), **asked))
    match(tensors, outline.state_dict()).require(str(path), f"Its header asks for {header['architecture']}, "
                                                 f"{header['num_classes']} classes.")
    network = build_quietly(modality.build_network, **asked)
    module = cast(nn.Module, network)
    module.load_state_dict(tensors, strict=True)
    module.eval()
    return network


def build_quietly(build: Callable[..., Network], **arguments: Any) -> Network:
    """Build the network that a file asks for, without what torch has to say about heads of no classes.

    Raises:
        IntegrityError: there is no such network.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Initializing zero-element tensors")
        try:
            return build(**arguments)
        except (TypeError, ValueError, RuntimeError) as error:
            raise IntegrityError(f"no network can be built of {arguments}: {error}") from error


def outlined(build: Callable[..., Network], where: str, **arguments: Any) -> Network:
    """As `build_quietly`, on the device where nothing is held but shapes.

    Raises:
        IntegrityError, ConfigError: there is no such network, or not here; with `where` it was asked for.
    """
    try:
        with torch.device("meta"):
            return build_quietly(build, **arguments)
    except (IntegrityError, ConfigError) as error:
        raise type(error)(f"{where}: {error}") from error


def _checked(path: Path, header: dict[str, Any]) -> dict[str, Any]:
    missing = [key for key in _NEEDED if key not in header]
    if missing:
        raise IntegrityError(f"{path}: no network file: {', '.join(missing)} missing in its header; "
                             "tools/import_weights.py makes one of other people's weights")
    check_facts(path, header)
    return header
