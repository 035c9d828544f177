"""Makes the gRPC modules from the .proto: ``python -m tests.support.rpc_code``. A test compares them with what is committed."""

from __future__ import annotations

import os
import sys
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parents[2]
RPC = ROOT / "aiops" / "api" / "rpc"
GENERATED = RPC / "generated"
PROTO = "aiops_v1.proto"
FILES = ("aiops_v1_pb2.py", "aiops_v1_pb2.pyi", "aiops_v1_pb2_grpc.py")


def generate(target: Path) -> dict[str, str]:
    """The modules by name, written below ``target``."""
    bin_folder = Path(sys.executable).parent
    os.environ["PATH"] = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"  # where protoc-gen-mypy is
    includes = Path(str(resources.files("grpc_tools"))) / "_proto"
    arguments = [
        "protoc",
        f"-I{RPC}",
        f"-I{includes}",
        f"--python_out={target}",
        f"--grpc_python_out={target}",
    ]
    status = protoc.main([*arguments, f"--mypy_out={target}", PROTO])
    if status != 0:
        raise SystemExit(f"protoc gave {status}")
    stub = target / "aiops_v1_pb2_grpc.py"
    text = stub.read_text("utf-8")
    own = "from aiops.api.rpc.generated import aiops_v1_pb2 as aiops__v1__pb2"
    stub.write_text(text.replace("import aiops_v1_pb2 as aiops__v1__pb2", own), "utf-8")
    return {name: (target / name).read_text("utf-8") for name in FILES}


def main() -> None:
    GENERATED.mkdir(exist_ok=True)
    (GENERATED / "__init__.py").write_text(
        '"""Made from ``aiops_v1.proto``; never edited by hand."""\n', "utf-8"
    )
    generate(GENERATED)


if __name__ == "__main__":
    main()
