"""Files of JSON lines that only grow: what is cut off is left out, and the next line starts on its own."""

from qd.support import json_lines


def test_a_torn_line_is_left_out_and_ended_before_the_next(tmp_path):
    file = tmp_path / "runs" / "lines.jsonl"
    assert json_lines.read(file) == []
    json_lines.append(file, [{"a": 1}, {"b": "\u2028 ü"}])
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"c": [1, 2')
    assert json_lines.read(file) == [{"a": 1}, {"b": "\u2028 ü"}]
    json_lines.append(file, [{"d": 4}])
    assert json_lines.read(file) == [{"a": 1}, {"b": "\u2028 ü"}, {"d": 4}]
    assert file.read_bytes() == whole + b'{"c": [1, 2\n{"d": 4}\n'
