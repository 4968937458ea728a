"""Tags are as unreliable as asked for, no more and no less."""

from __future__ import annotations

import numpy as np
import pytest

from cfvideo.demo_data.motions import MOTIONS
from cfvideo.demo_data.weak_tags import NON_VISUAL_TAGS, TAG_OF, VISUAL_TAGS, TagNoise, draw_tags


def test_every_visual_tag_is_used_for_several_motions() -> None:
    assert set(TAG_OF) == set(MOTIONS)
    assert all(list(TAG_OF.values()).count(tag) >= 2 for tag in VISUAL_TAGS)
    assert not set(VISUAL_TAGS) & set(NON_VISUAL_TAGS)


def test_shares_of_wrong_and_non_visual_tags() -> None:
    noise, rng = TagNoise(wrong=0.3, non_visual=0.2, num_tags=1), np.random.default_rng(0)
    tags = [draw_tags("spin", noise, rng)[0] for _ in range(4000)]
    assert np.mean([tag == TAG_OF["spin"] for tag in tags]) == pytest.approx(0.5, abs=0.03)
    assert np.mean([tag in NON_VISUAL_TAGS for tag in tags]) == pytest.approx(0.2, abs=0.03)
    assert set(tags) == {*VISUAL_TAGS, *NON_VISUAL_TAGS}


def test_without_noise_only_the_right_tag_remains() -> None:
    assert draw_tags("drop", TagNoise(0.0, 0.0, 5), np.random.default_rng(0)) == (TAG_OF["drop"],)


def test_several_different_tags_per_video_in_drawn_order() -> None:
    noise = TagNoise(wrong=0.5, non_visual=0.3, num_tags=4)
    drawn = [draw_tags("pan", noise, np.random.default_rng(seed)) for seed in range(200)]
    assert all(len(set(tags)) == len(tags) and 1 <= len(tags) <= 4 for tags in drawn)
    assert max(map(len, drawn)) == 4
    assert drawn == [draw_tags("pan", noise, np.random.default_rng(seed)) for seed in range(200)]


def test_an_unknown_motion_is_named() -> None:
    with pytest.raises(ValueError, match="fly.*bounce"):
        draw_tags("fly", TagNoise(), np.random.default_rng(0))


@pytest.mark.parametrize("values", [(-0.1, 0.0, 1), (0.0, -0.1, 1), (0.7, 0.4, 1), (0.1, 0.1, 0)])
def test_impossible_noise_is_refused(values: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError, match="TagNoise"):
        TagNoise(*values)
