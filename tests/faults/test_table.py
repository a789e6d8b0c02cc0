from faults import catalogue


def test_the_table_is_what_the_tests_say_and_every_fault_has_one():
    found = catalogue.collect()
    assert catalogue.missing(found) == []
    wanted = catalogue.render(found)
    assert catalogue.TABLE.read_text(encoding="utf-8") == wanted, "run `make faults-table`"
