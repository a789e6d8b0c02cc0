from maskkit import runs


def test_a_new_start_forgets_an_earlier_run_s_results(tmp_path):
    runs.record(tmp_path, best=1)
    (tmp_path / "model.safetensors").write_bytes(b"old")
    runs.start(tmp_path)
    assert "best" not in runs.read_metrics(tmp_path) and not (tmp_path / "model.safetensors").exists()
