"""`compaction completion`: what a shell completes with it."""

import shutil
import subprocess

import pytest

BASH = shutil.which("bash")

COMPLETED = {
    "qua": ["quarantine"],
    "quarantine r": ["retry"],
    "start w": ["words"],
    "history words --st": ["--status", "--stack"],
    "delta ": ["check", "show"],
}


@pytest.mark.skipif(BASH is None, reason="no bash here")
def test_bash_completes_commands_actions_collections_and_options(run) -> None:
    said = run("completion", "bash")
    assert said.code == 0
    empty = '""'
    asked = "".join(
        f"COMP_WORDS=(compaction {typed}{empty if typed.endswith(' ') else ''}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1));"
        ' _shtab_compaction; echo "${COMPREPLY[*]}"\n'
        for typed in COMPLETED
    )
    done = subprocess.run([BASH, "--norc"], input=said.out + asked, capture_output=True, text=True, check=True)
    found = [line.split() for line in done.stdout.splitlines()]
    assert [sorted(one) for one in found] == [sorted(one) for one in COMPLETED.values()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_every_shell_gets_its_script(run, shell: str) -> None:
    said = run("completion", shell, "--json").json
    assert said["shell"] == shell
    assert "quarantine" in str(said["script"])


def test_another_shell_is_a_wrong_argument(run) -> None:
    assert run("completion", "fsh").code == 2
