"""Build the C core, where there is a compiler; without one, micrograd installs as pure Python.

None of its modules needs NumPy, here or to run: arrays come through the buffer protocol.
"""

import glob
import os
import sys
import sysconfig

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class BuildWherePossible(build_ext):
    """Build the C core, or go on without it and say so when it cannot be compiled."""

    def run(self):
        self.parallel = None  # two modules are made of the same files, whose objects have one name
        try:
            super().run()
        except Exception as error:
            self._go_on(error)

    def build_extension(self, extension):
        try:
            super().build_extension(extension)
        except Exception as error:
            self._go_on(error)

    def _go_on(self, error):
        if os.environ.get("MICROGRAD_REQUIRE_C"):
            raise error
        self.extensions = []  # nothing to copy or install
        print(
            f"micrograd: the C core could not be built ({error}). The pure-Python core is "
            "installed: it does the same, more slowly. For the faster one install a C compiler "
            "and the headers of Python, then install again.",
            file=sys.stderr,
        )


# The same bits as Python: a * b + c is rounded twice. MSVC compiles ISO C without flags. Without
# errno, the roots of several numbers are taken at once.
FLAGS = ["-std=c11", "-O3", "-fno-math-errno", "-ffp-contract=off"]
FLAGS = [] if sys.platform == "win32" else FLAGS

# The executor of programs adds up in an order of its own anyway: there, a product that is added is
# rounded once where the processor can. Nothing here lets the compiler take nan or inf lightly.
FASTER = [] if sys.platform == "win32" else ["-std=c11", "-O3", "-ffp-contract=fast"]
FASTER += [] if sys.platform == "win32" else ["-fno-math-errno", "-fno-trapping-math"]


def extension(name, flags, *files, macros=()):
    return Extension(
        f"micrograd.native.{name}",
        sources=[f"micrograd/native/{file}.c" for file in files],
        depends=glob.glob("micrograd/native/*.h"),
        define_macros=[(macro, "1") for macro in macros],
        extra_compile_args=flags + os.environ.get("MICROGRAD_CFLAGS", "").split(),
        extra_link_args=os.environ.get("MICROGRAD_LDFLAGS", "").split(),
    )


# The C core needs the GIL, which a free-threaded Python would switch on to load it: none is built.
PURE = os.environ.get("MICROGRAD_PURE", "0") not in ("", "0")
WITHOUT = PURE or sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    ext_modules=[]
    if WITHOUT
    else [
        extension("_engine", FLAGS, "_engine"),
        extension("_executor", FASTER, "_executor", "_vectors"),
        extension("_executor32", FASTER, "_executor", "_vectors", macros=["SINGLE"]),  # of float32
    ],
    cmdclass={"build_ext": BuildWherePossible},
)
