"""The example in C#: compiled where a compiler is installed."""

import shutil
import subprocess

import pytest
from crowd import EXAMPLES

PROJECT = """<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><TargetFramework>net8.0</TargetFramework>
<Nullable>enable</Nullable><TreatWarningsAsErrors>true</TreatWarningsAsErrors></PropertyGroup></Project>"""
DOTNET = shutil.which("dotnet")


@pytest.mark.skipif(not DOTNET, reason="no .NET is installed")
def test_it_compiles_against_the_standard_library_alone(tmp_path):
    (tmp_path / "example.csproj").write_text(PROJECT)
    shutil.copy(EXAMPLES / "dotnet" / "SalesforceLogin.cs", tmp_path)
    subprocess.run((DOTNET, "build", "--nologo", "-v", "q"), cwd=tmp_path, check=True)
