import pytest

from maskkit.sweep import ranking


def make_setting(n_right, **differs):
    """A setting that is right on the first `n_right` of 50 photos."""
    answers = {("draw", photo): (int(photo < n_right), str(photo)) for photo in range(50)}
    return ranking.Setting(differs, ["0" * 12], [0], answers)


def test_best_within_noise_is_marked_and_not_just_the_top():
    settings = ranking.compare([make_setting(20, RATE=1), make_setting(47, RATE=2), make_setting(48, RATE=3)])
    assert [setting.differs["RATE"] for setting in settings] == [3, 2, 1]
    assert [setting.noise for setting in settings] == [True, True, False] and settings[0].gap is None
    assert settings[2].gap[0] == pytest.approx(-28 / 50) and settings[2].gap[1][1] < 0


def test_settings_are_ranked_among_equal_photos_and_over_seeds(tiny, run_sweep):
    computed, _ = run_sweep(tiny | {"PER_CLASS": [10, 12]})
    rankings = ranking.rank(computed)
    assert [len(ranked.settings) for ranked in rankings] == [2, 2]
    for setting in (setting for ranked in rankings for setting in ranked.settings):
        rows = [computed.rows[key] for key in setting.keys]
        assert setting.seeds == [0, 1] and setting.score["correct"] == sum(row["last_correct"] for row in rows)
        assert setting.score["n"] == sum(row["n_val"] for row in rows)
