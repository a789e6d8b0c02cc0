from maskkit.sweep import live


def test_the_table_fills_up(tiny, run_sweep):
    tables = []
    run_sweep(tiny, watch=lambda so_far: tables.append(live.html(so_far)))
    assert "0 of 4 recipes done" in tables[0] and "4 of 4 recipes done, 0 broken" in tables[-1]


def test_only_a_notebook_gets_a_table():
    assert live.make_table() is None
