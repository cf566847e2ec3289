from importlib.metadata import version

from packaging.requirements import Requirement
from packaging.version import Version

from tests.conftest import ROOT


def test_what_is_installed_meets_the_requirements():
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        wanted = Requirement(line)
        installed = Version(version(wanted.name)).base_version  # Debian's alembic calls itself a .dev0
        assert wanted.specifier.contains(installed), f"{wanted.name} is {installed}, want {wanted.specifier}"
