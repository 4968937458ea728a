"""The README.md of an exported network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CARD = """\
# {arch}, {classes}

{parameters:,} parameters. {origin}

## What it is fed

{clip} RGB in [0, 1], minus mean {mean}, divided by standard deviation {std}; shortest edge {short_edge_px} pixels,
central crop of {crop_px} x {crop_px}.

Batch norms use epsilon {bn_eps}: outputs differ under another.

## Files

`model.safetensors` holds the weights under {names} names, `model.json` everything on this page for programs. Nothing in
them can run code.

## Loading

{loading}

In ClusterFit for video: `python tools/import_weights.py model.safetensors --out N_PRE`, then `N_PRE.WEIGHTS N_PRE`.

## Provenance

Exported from a network file with SHA-256 `{source_sha256}`; `model.safetensors` has `{weights_sha256}`. Which licence
applies follows from the data it was trained on and from what it was made of; neither is known to this program.
"""

_CODE = """\
```python
from safetensors.torch import load_file
{code}
for module in network.modules():
    if hasattr(module, "running_var"):
        module.eps = {eps}
network.load_state_dict(load_file("model.safetensors"))
```
"""


def model_card(facts: Mapping[str, Any], code: str, num_parameters: int) -> str:
    """Markdown for people, from the facts of the sidecar; `code` makes the public library's network, or is empty."""
    view, made_of = facts["view"], facts["imported_from"]
    num_classes, eps = facts["num_classes"], facts["bn_eps"]
    is_video = facts["modality"] == "video"
    clip = f"{view['num_frames']} frames, {view['frame_stride']} apart:" if is_video else "Images:"
    origin = (f"Made of weights of {made_of['kind']}, file {made_of['file']!r}." if made_of else
              "Trained by ClusterFit for video.")
    if facts.get("class_names"):
        origin += " `model.json` names its classes in their order."
    return _CARD.format(
        arch=facts["architecture"]["arch"], parameters=num_parameters, origin=origin, clip=clip,
        classes=f"{num_classes} classes" if num_classes else "features only", mean=view["mean"], std=view["std"],
        short_edge_px=view["short_edge_px"], crop_px=view["crop_px"], bn_eps=", ".join(map(str, eps)) or "-",
        names="public" if code else "this project's",
        loading=_CODE.format(code=code, eps=eps[0]) if code else "No other library builds this network.",
        source_sha256=facts["source_sha256"], weights_sha256=facts["weights_sha256"])
