from maskkit.sweep import page, ranking
from tests.sweep.test_ranking import make_setting


def test_the_page_says_what_is_there(tiny, run_sweep):
    computed, _ = run_sweep(tiny)
    ranked = ranking.Ranking("photos <x>", ranking.compare([make_setting(20, RATE="<b>"), make_setting(48, RATE="c")]))
    html = page.write(computed, [ranked], ["tiny-best"]).read_text()
    assert "<b>" not in html and "photos &lt;x&gt;" in html and "behind" in html and "runs/tiny-best" in html
