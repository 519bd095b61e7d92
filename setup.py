"""Build the C core, where there is a compiler; without one, micrograd installs as pure Python."""

import glob
import os
import sys
import sysconfig

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class BuildWherePossible(build_ext):
    """Build the C core, or go on without it and say so when it cannot be compiled."""

    def run(self):
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


# The same bits as Python: a * b + c is rounded twice. MSVC compiles ISO C without flags.
FLAGS = [] if sys.platform == "win32" else ["-std=c11", "-O2", "-ffp-contract=off"]

ENGINE = Extension(
    "micrograd.native._engine",
    sources=["micrograd/native/_engine.c"],
    depends=glob.glob("micrograd/native/*.h"),
    extra_compile_args=FLAGS + os.environ.get("MICROGRAD_CFLAGS", "").split(),
    extra_link_args=os.environ.get("MICROGRAD_LDFLAGS", "").split(),
)

# The C core needs the GIL, which a free-threaded Python would switch on to load it: none is built.
PURE = os.environ.get("MICROGRAD_PURE", "0") not in ("", "0")
WITHOUT = PURE or sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    ext_modules=[] if WITHOUT else [ENGINE],
    cmdclass={"build_ext": BuildWherePossible},
)
