"""Every knob of a run, once: name, unit, default, allowed values, meaning.

These frozen dataclasses are the one schema. `cfvideo/core/config` derives the YAML keys from them (field `num_frames`
of `ClipSpec` inside `n_pre` is the key `N_PRE.CLIP.NUM_FRAMES`), so nothing here is written twice. Functions below a
stage never see a spec: they take plain keyword arguments.
"""

from cfvideo.core.specs.cluster import ClusterSpec, ExtractSpec
from cfvideo.core.specs.data import FORMATS, SAME, DataSpec, LabelSpec, SourceSpec, TargetSpec
from cfvideo.core.specs.knobs import NEUTRAL
from cfvideo.core.specs.network import GEOMETRY, ClipSpec, NetworkSpec
from cfvideo.core.specs.probe import ProbeSpec
from cfvideo.core.specs.run import BASELINES, DistillationSpec, RunSpec, SystemSpec
from cfvideo.core.specs.solver import SolverSpec

__all__ = ["BASELINES", "FORMATS", "GEOMETRY", "NEUTRAL", "SAME", "ClipSpec", "ClusterSpec", "DataSpec",
           "DistillationSpec", "ExtractSpec", "LabelSpec", "NetworkSpec", "ProbeSpec", "RunSpec", "SolverSpec",
           "SourceSpec", "SystemSpec", "TargetSpec"]
