from maskkit import runs


def test_a_new_start_forgets_an_earlier_run_s_results(tmp_path):
    runs.record(tmp_path, best=1)
    for name in ("model.safetensors", "improve.json", "not_sure.json", "sweep.json"):
        (tmp_path / name).write_bytes(b"old")
    runs.start(tmp_path)
    assert "best" not in runs.read_metrics(tmp_path) and [path.name for path in tmp_path.iterdir()] == ["metrics.json"]
