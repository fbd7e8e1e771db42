"""Print what an image holds, as one line of JSON: packages of Python and of Debian, and where its bytes lie.

Runs inside the image, as ``python -c "$(cat docker/inventory.py)"``, on the standard library alone.
"""

import json
import os
import subprocess
from importlib import metadata

LARGEST = 12
DEBIAN = "${Package}\t${Version}\t${Architecture}\t${Installed-Size}\t${source:Package}\n"


def python_packages():
    """Return name, version, licence and bytes of every distribution."""
    found = {}
    for each in metadata.distributions():
        named = each.metadata
        size = sum(file.locate().stat().st_size for file in each.files or () if file.locate().is_file())
        licence = named.get("License-Expression") or (named.get("License") or "").partition("\n")[0][:80]
        found[named["Name"].lower().replace("_", "-"), each.version] = {"licence": licence or None, "bytes": size}
    return [{"name": name, "version": version, **told} for (name, version), told in sorted(found.items())]


def debian_packages():
    """Return name, version, architecture, source and bytes of every package that dpkg knows."""
    listed = subprocess.run(["dpkg-query", "-W", f"-f={DEBIAN}"], capture_output=True, text=True, check=True).stdout
    rows = (line.split("\t") for line in listed.splitlines())
    keys = ("name", "version", "architecture", "bytes", "source")
    return [dict(zip(keys, (*row[:3], 1024 * int(row[3] or 0), row[4]), strict=True)) for row in rows]


def folders():
    """Return the bytes below each folder, two deep, without /proc and the like; a file of several names counts once."""
    seen, sizes = set(), {}
    for folder, below, files in os.walk("/"):
        if folder in {"/proc", "/sys", "/dev", "/run"}:
            below.clear()
            continue
        top = "/".join(folder.split("/")[:3]) or "/"
        for name in files:
            try:
                state = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            if state.st_ino not in seen:
                seen.add(state.st_ino)
                sizes[top] = sizes.get(top, 0) + state.st_size
    return dict(sorted(sizes.items(), key=lambda item: -item[1])[:LARGEST])


if __name__ == "__main__":
    print(json.dumps({"python": python_packages(), "debian": debian_packages(), "folders": folders()}))  # noqa: T201
