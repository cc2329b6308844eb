"""Runs the notebook from top to bottom.

    python notebook.py run      # a copy, and says whether every cell does and draws
    python notebook.py write    # in place, as it is committed

SKMS_BINARY names the server's program where it is not in ``target``.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
from pathlib import Path
from typing import Any, List

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

NOTEBOOK = Path(__file__).resolve().parent / "skms.ipynb"
#: Cells that must draw have this tag.
PICTURE = "picture"


def executed(notebook: Any) -> Any:
    """The same notebook with what its cells give now. Raises what a cell raises."""
    fresh = copy.deepcopy(notebook)
    resources = {"metadata": {"path": str(NOTEBOOK.parent)}}
    with tempfile.TemporaryDirectory() as folder:
        # Sockets in a folder of our own rather than ports that others can reach.
        own = {"transport": "ipc", "connection_file": f"{folder}/kernel.json"}
        config = Config({"KernelManager": own})
        NotebookClient(
            fresh, timeout=120, kernel_name="python3", resources=resources, config=config
        ).execute()
    return fresh


def faults(notebook: Any) -> List[str]:
    """What is wrong with a notebook that was run."""
    found = []
    pictures = 0
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        if cell.execution_count is None:
            found.append(f"cell {number} was not run")
        drawn = [
            one for one in cell.outputs
            if one.output_type in ("display_data", "execute_result") and "image/png" in one.data
        ]  # fmt: skip
        pictures += len(drawn)
        if (PICTURE in cell.metadata.get("tags", [])) != bool(drawn):
            found.append(f"cell {number} has a picture that is not there, or one that is not told of")
        for one in cell.outputs:
            if one.output_type == "error":
                found.append(f"cell {number} failed: {one.ename}")
            if one.output_type == "stream" and one.name == "stderr":
                found.append(f"cell {number} complains: {one.text}")
    if pictures == 0:
        found.append("there is no picture")
    return found


def plain(notebook: Any) -> Any:
    """Without what changes from run to run and from machine to machine."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata.pop("execution", None)
        joined: List[Any] = []
        for one in cell.get("outputs", []):
            # What a cell prints comes in pieces, as it pleases.
            stream = one.output_type == "stream" and joined and joined[-1].output_type == "stream"
            if stream and joined[-1].name == one.name:
                joined[-1].text += one.text
            else:
                joined.append(one)
        if cell.cell_type == "code":
            cell.outputs = joined
    return notebook


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "write"])
    what = parser.parse_args().what
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    fresh = executed(notebook)
    wrong = faults(fresh)
    if what == "write":
        nbformat.write(plain(fresh), NOTEBOOK)
    else:
        wrong += [f"as committed, {one}" for one in faults(notebook)]
    for one in wrong:
        print(one, file=sys.stderr)
    cells = sum(cell.cell_type == "code" for cell in fresh.cells)
    print(f"{cells} cells ran, {len(wrong)} faults")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
