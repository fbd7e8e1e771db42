"""nbval notices what differs from the kept outputs: every figure where they were kept, every word anywhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat

from perpfut_lib.chapters.keep import processor

ROOT = Path(__file__).resolve().parents[2]


def _write(folder, name, kept_on, *kept):
    """Write a chapter whose two cells show a table and a sentence, with ``kept`` as what they showed before."""
    sources = (
        "import pandas as pd\npd.DataFrame({'return': [1.25, -3.5]}, index=['counterfactual-ppo', 'flat'])",
        "'it traded on 5 days'",
    )
    notebook = nbformat.v4.new_notebook(metadata={"perpfut": {"stage": "train", "processor": kept_on}})
    notebook.cells = [nbformat.v4.new_code_cell(source, execution_count=1) for source in sources]
    for cell, data in zip(notebook.cells, kept, strict=True):
        cell.outputs = [nbformat.v4.new_output("execute_result", data, execution_count=1)]
    nbformat.write(notebook, folder / f"{name}.ipynb")


def test_a_changed_output_is_noticed(tmp_path):
    """Proves that a planted figure fails here and only here, and that a planted word fails on any processor."""
    import pandas as pd

    def table(first, row="counterfactual-ppo"):
        shown = pd.DataFrame({"return": [first, -3.5]}, index=[row, "flat"])
        return {"text/html": shown._repr_html_(), "text/plain": repr(shown)}

    def words(text):
        return {"text/plain": repr(text)}

    folder, said = tmp_path / "notebooks", "it traded on 5 days"
    folder.mkdir()
    (folder / "conftest.py").symlink_to(ROOT / "notebooks" / "conftest.py")
    _write(folder, "01_figure_here", processor(), table(1.26), words(said))
    _write(folder, "02_figure_elsewhere", "another", table(11.26), words("it traded on 15 days"))
    _write(folder, "03_word_elsewhere", "another", table(1.25, row="sac"), words(said))
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False, env=environment)
    assert "4 passed" in done.stdout, done.stdout
    failed = sorted(re.findall(r"^FAILED \S*?(\d\d_\w+)\.ipynb::Cell (\d)", done.stdout, re.M))
    assert failed == [("01_figure_here", "0"), ("03_word_elsewhere", "0")]
