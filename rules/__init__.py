"""The built-in sparsity rules, one module per family of primitives. Importing this package registers them."""

import importlib
import pkgutil


if __name__ != "asdex.rules":
    raise ImportError(
        f"The rules of asdex were imported as '{__name__}'. Import them as 'asdex.rules'; if another package "
        "called 'rules' was meant, remove the asdex checkout from the import path."
    )

for _module in pkgutil.iter_modules(__path__, prefix=f"{__name__}."):
    importlib.import_module(_module.name)
