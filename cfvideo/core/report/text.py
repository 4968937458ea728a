"""Numbers and names as a reader meets them: per cent with one decimal, hostile characters made visible."""

from __future__ import annotations

import unicodedata

from cfvideo.core.report.numbers import Comparison, Summary

MINUS = "\N{MINUS SIGN}"
BASELINE_NAMES = frozenset(("untrained", "distillation", "regression", "prototype"))
# Characters that reorder the text around them: a file name could otherwise display as another one.
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def visible(text: str, keep: str = "") -> str:
    r"""Control, surrogate and text-reordering characters as escapes; undecodable bytes of a file name as \xNN."""
    return "".join(char if char in keep else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # os.fsdecode puts the byte 0xNN here
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(char) in ("Cc", "Cs") or char in BIDI:
        return char.encode("unicode_escape").decode("ascii")
    return char


def percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def points(fraction: float) -> str:
    """A difference in percentage points with its sign; two decimals where one would hide it."""
    value = 100 * fraction
    if abs(value) < 5e-8:
        return "0.0"
    return f"{value:+.{1 if abs(value) >= 0.05 else 2}f}".replace("-", MINUS)


def spread_text(summary: Summary) -> str:
    return "" if summary.spread is None else f"± {percent(summary.spread)}"


def seed_values(summary: Summary, signed: bool = False) -> str:
    """'seed 0: 61.2, seed 1: 63.0'."""
    form = points if signed else percent
    return ", ".join(f"seed {seed}: {form(value)}" for seed, value in summary.by_seed.items())


def network_text(network: str) -> str:
    """n_pre -> N_pre, n_pre_2x -> N_pre 2x, n_cf_k400 -> N_cf k400, distillation_p50 -> distillation p50; other names
    unchanged."""
    if network.split("_")[0] in BASELINE_NAMES:
        return network.replace("_", " ")
    if not network.startswith("n_"):
        return network
    _, name, *rest = network.split("_")
    return " ".join([f"N_{name}", *rest])


def family(network: str) -> str:
    """What kind of network it is: n_cf_p50_k400 -> n_cf, distillation_p50 -> distillation."""
    parts = network.split("_")
    return "_".join(parts[:2]) if parts[0] == "n" else parts[0]


def seeds_won_text(comparison: Comparison) -> str:
    """'N_cf beat N_pre on 2 of 3 seeds (lost: seed 1)'; ties are named as such."""
    ties = [seed for seed in comparison.difference.by_seed if seed not in comparison.won + comparison.lost]
    remarks = [f"{word}: seed{'s' if len(group) > 1 else ''} {', '.join(map(str, group))}"
               for word, group in (("lost", comparison.lost), ("equal", ties)) if group]
    text = (f"{network_text(comparison.candidate)} beat {network_text(comparison.baseline)} on "
            f"{len(comparison.won)} of {comparison.num_seeds} seed{'s' if comparison.num_seeds > 1 else ''}")
    return f"{text} ({'; '.join(remarks)})" if remarks else text


def duration(seconds: float | None) -> str:
    """'12.3 s', '4 min 05 s', '3 h 20 min'; an empty string where it is not known."""
    if seconds is None:
        return ""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
