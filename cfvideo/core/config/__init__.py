"""Config files and KEY VALUE overrides -> RunSpec, and back."""

from cfvideo.core.config.checks import check
from cfvideo.core.config.contradiction import learn_labels
from cfvideo.core.config.files import files_and_pairs
from cfvideo.core.config.help import help_text
from cfvideo.core.config.load import Json, dump_yaml, flatten, load_run_spec

__all__ = ["Json", "check", "dump_yaml", "files_and_pairs", "flatten", "help_text", "learn_labels", "load_run_spec"]
