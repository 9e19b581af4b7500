"""`dynconnect check`: what it says of a sound project. What it says of others is in `test_bad_input`."""

from __future__ import annotations

from support.serving import finish


def test_a_sound_project_is_summed_up_and_the_exit_code_is_0(project):
    done = finish("check", "api.binpb", "--plugins", "plugins", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "api.binpb: 1 file" in lines
    assert "notes.v1.Notes" in lines
    assert "  Echo   unary          plugins/notes.py:10 Notes.echo" in lines
    assert "  Lost   unary          unimplemented" in lines
    assert lines[-1] == "1 service, 5 methods: 4 bound, 1 unimplemented"


def test_plugins_are_not_needed(project):
    done = finish("check", "api.binpb", cwd=project)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "1 service, 5 methods: 0 bound, 5 unimplemented"
