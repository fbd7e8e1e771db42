"""Say what the images hold: ``python docker/sbom.py [IMAGE...]`` writes build/sbom/IMAGE.cdx.json for each.

The bill of materials is CycloneDX 1.5, made from the image itself, not from what it was asked to install. Known
vulnerabilities of its Python packages are listed by ``pip-audit`` where that is installed and its service answers;
where not, the result says that nobody was asked. Of Debian's packages those are listed that its archive of security
updates has a newer version of. Sizes and counts are published.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parent / "trials"))
from engine import ROOT, engine, require_engine, tagged

from perpfut_lib.artifacts import git_commit, publish

IMAGES: Final = ("agent", "hummingbot")
FOLDER: Final = ROOT / "build" / "sbom"
NAME: Final = "containers_contents"
UPDATES: Final = """
set -e
. /etc/os-release
echo "deb http://deb.debian.org/debian-security $VERSION_CODENAME-security main" > /etc/apt/sources.list.d/asked.list
apt-get update -qq -o APT::Update::Error-Mode=any
apt-get upgrade --simulate
"""
"""Asks Debian, in a container that is thrown away, what an upgrade would install."""
UPDATE: Final = re.compile(r"^Inst (\S+) \[(\S+)\] \((\S+) [^)]*security", re.M)


def main() -> None:
    """Write the bills, publish the summary."""
    images = tuple(sys.argv[1:]) or IMAGES
    require_engine([f"perpfut/{image}" for image in images])
    FOLDER.mkdir(parents=True, exist_ok=True)
    told = {image: examined(image) for image in images}
    path = publish(NAME, {"git_commit": git_commit(), "images": told})
    sys.stdout.write(f"{path}\n")


def examined(image: str) -> dict[str, Any]:
    """Write an image's bill and return its summary."""
    tag = tagged(f"perpfut/{image}")
    code = (ROOT / "docker" / "inventory.py").read_text()
    held = json.loads(engine("run", "--rm", "--network", "none", "--entrypoint", "python", tag, "-c", code))
    details = json.loads(engine("image", "inspect", tag))[0]
    bill = bill_of(tag, held)
    (FOLDER / f"{image}.cdx.json").write_text(json.dumps(bill, indent=1) + "\n")
    largest = sorted(held["python"], key=lambda each: -each["bytes"])[:8]
    return {
        "bytes": details["Size"],
        "base": "stand-in" if details["Config"]["Labels"].get("perpfut.stand-in") else "official",
        "python_packages": len(held["python"]),
        "debian_packages": len(held["debian"]),
        "largest_python": {each["name"]: each["bytes"] for each in largest},
        "folders": held["folders"],
        "vulnerabilities": vulnerabilities(image, held["python"]),
        "security_updates": security_updates(tag),
    }


def bill_of(tag: str, held: dict[str, Any]) -> dict[str, Any]:
    """Return an inventory as CycloneDX."""
    name, _, version = tag.partition(":")
    component = {"type": "container", "name": name, "version": version, "bom-ref": tag}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component},
        "components": [component_of(each) for each in held["python"] + held["debian"]],
    }


def component_of(package: dict[str, Any]) -> dict[str, Any]:
    """Return a package of the inventory as CycloneDX; Debian's packages have an architecture, Python's a licence."""
    address = f"{quote(package['name'])}@{quote(package['version'])}"
    debian = f"pkg:deb/debian/{address}?arch={package.get('architecture')}"
    return {
        "type": "library",
        "name": package["name"],
        "version": package["version"],
        "purl": debian if "architecture" in package else f"pkg:pypi/{address}",
        **({"licenses": [{"license": {"name": package["licence"]}}]} if package.get("licence") else {}),
    }


def vulnerabilities(image: str, packages: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what pip-audit knows of the packages: found, and of how many it was told nothing."""
    found = shutil.which("pip-audit")
    if found is None:
        return {"asked": 0, "unasked": len(packages), "found": [], "why": "pip-audit is not installed"}
    listed = FOLDER / f"{image}.txt"
    listed.write_text("".join(f"{each['name']}=={each['version']}\n" for each in packages))
    command = [found, "--requirement", str(listed), "--no-deps", "--disable-pip", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        rows = json.loads(done.stdout)["dependencies"]
    except ValueError:
        why = f"pip-audit failed: {done.stderr.strip()[-200:]}"
        return {"asked": 0, "unasked": len(packages), "found": [], "why": why}
    known = [row for row in rows if "skip_reason" not in row]
    flaws = [
        {"package": row["name"], "version": row["version"], "id": flaw["id"], "fixed_in": flaw["fix_versions"]}
        for row in known
        for flaw in row["vulns"]
    ]
    why = "" if known else "the index that was asked serves no advisories"
    return {"asked": len(known), "unasked": len(packages) - len(known), "found": flaws, "why": why}


def security_updates(tag: str) -> dict[str, Any]:
    """Return the Debian packages that a security update exists of and the image lacks, or why nobody was asked."""
    command = ["docker", "run", "--rm", "--user", "0", "--entrypoint", "sh", tag, "-c", UPDATES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"asked": False, "found": [], "why": f"apt failed: {done.stderr.strip()[-200:]}"}
    found = UPDATE.findall(done.stdout)
    return {"asked": True, "found": [dict(zip(("package", "version", "fixed_in"), row, strict=True)) for row in found]}


if __name__ == "__main__":
    main()
