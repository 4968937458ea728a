"""Keys of data sets and of reading them."""

from __future__ import annotations

from dataclasses import dataclass

from cfvideo.core.specs.knobs import knob, node
from cfvideo.core.specs.probe import METHODS

# Of videos, of images, of both; each modality refuses what is not its own.
FORMATS = ("kinetics", "kinetics_csv", "sports1m", "sthsth_v1", "sthsth_v2", "mmaction2", "mmaction2_offset",
           "imagenet", "path_labels", "places365", "inaturalist", "voc",
           "path_label", "path_name", "folder", "weak_labels", "tar", "index")
# TEST_FORMAT's word for FORMAT.
SAME = "same"


@dataclass(frozen=True)
class LabelSpec:
    """The label space of a data set to train on. All but NOISE choose rows, for which the index's hash stands in."""

    top: int = knob(0, "only the so many most frequent labels, and the rows that carry one (Figure 7); 0: all", low=0,
                    neutral=True)
    only: str = knob("", "only the labels in this text file, one name a line, and the rows that carry one (Figure 8)",
                     neutral=True)
    max_rows: int = knob(0, "a fixed sample of so many of these rows, so that label spaces are compared on equally "
                         "many; 0: all", low=0, neutral=True)
    noise: float = knob(0.0, "share of the rows whose label is replaced by another one at random (section 3.2)",
                        low=0.0, high=1.0)


@dataclass(frozen=True)
class SourceSpec:
    """A data set to train on. Its rows are fixed by an index, whose content hash stands in for these keys."""

    format: str = knob("weak_labels", "how the data set lies on disk: a folder of class folders (kinetics), JSON lines "
                       "with path and tags (weak_labels), what tools/build_index.py made (index), ...; "
                       "cfvideo/data/formats/README.md and cfimage/formats/README.md show each", choices=FORMATS,
                       neutral=True)
    path: str = knob("", "the folder (kinetics, folder, tar), the shards (tar) or the list file; empty D_CF.PATH: as "
                     "D_PRE", neutral=True)
    root: str = knob("", "folder that the list's paths start from; empty: the list's own folder", neutral=True)
    min_rows_per_label: int = knob(1, "labels with fewer rows are dropped (paper, supplement C: 50)", low=1,
                                   neutral=True)
    expected_rows: int = knob(0, "rows that --dry-run reckons with while the data is not here yet; 0: not known",
                              low=0, neutral=True)
    labels: LabelSpec = node(LabelSpec)


@dataclass(frozen=True)
class TargetSpec:
    """A target task of the linear probe: a train and a test split with clean labels."""

    format: str = knob("kinetics", "as D_PRE.FORMAT", choices=FORMATS, neutral=True)
    train: str = knob("", "folder or list file of the training split", neutral=True)
    test: str = knob("", "folder or list file of the test split", neutral=True)
    root: str = knob("", "folder that the lists' paths start from; empty: each list's own folder", neutral=True)
    test_format: str = knob(SAME, "FORMAT of the test split, where it lies on disk in another way (a flat folder with "
                            "a list: path_name, kinetics_csv); same: FORMAT", choices=(SAME, *FORMATS), neutral=True)
    test_root: str = knob("", "ROOT of the test split; empty: ROOT", neutral=True)
    expected_rows: int = knob(0, "as D_PRE.EXPECTED_ROWS, both splits together", low=0, neutral=True)
    methods: tuple[str, ...] = knob((), "yardsticks of this target instead of PROBE.METHODS (VOC07: svm); []: those",
                                    choices=METHODS)
    epochs: int = knob(0, "passes over this target's training rows instead of PROBE.SGD.EPOCHS; 0: as there", low=0)
    flip: bool = knob(True, "fine-tuning mirrors samples where the network's own CLIP.FLIP does; false: never, for "
                      "targets that tell left from right (Something-Something)")
    squeeze: bool = knob(False, "images: probes see the whole picture, one view, squeezed to CROP_PX x CROP_PX "
                         "whatever its shape, in one step (VISSL for VOC07's SVMs: short edge to 256, then to "
                         "224 x 224); false: the central square, or several")


@dataclass(frozen=True)
class DataSpec:
    """Reading media."""

    decoder: str = knob("auto", "what decodes where it is exact, PyAV (videos) or Pillow (images) the rest; auto: dali "
                        "where the networks run on a GPU and DALI is installed, else pyav or pillow", neutral=False,
                        choices=("auto", "pyav", "decord", "torchcodec", "pillow", "dali"))
    how: str = knob("", "how to get the data, said where some of it is missing: a command, an address", neutral=True)
    max_bad_share: float = knob(0.05, "a stage fails (exit 4) when a larger share of rows is undecodable", low=0.0,
                                high=1.0, neutral=True)
    max_frame_pixels: int = knob(16_777_216, "larger pictures are refused as decompression bombs", low=1)
    decode_timeout_seconds: float = knob(60.0, "a decoder process (SYSTEM.DECODE_WORKERS) that takes longer over one "
                                         "row is killed; the row is tried once more, then given up", low=0.1,
                                         neutral=True)
    status: str = knob("", "what tools/check_data.py found: its Parquet, or a folder of them; rows it could not read "
                       "are invalid at once. Refused (exit 6) where it is of other data", neutral=True)
