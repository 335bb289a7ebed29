"""The example of several devices and processes computes what one device does."""

import re
import socket

import numpy as np
from example_processes import printed_by, started


def program(num_devices):
    flags = f"--xla_force_host_platform_device_count={num_devices}"
    return (
        f"import os, sys; os.environ['XLA_FLAGS'] = '{flags}'; sys.path.insert(0, 'examples'); "
        "import nonlinear_diffusion; nonlinear_diffusion.main(n=32, steps=2)"
    )


def residuals(printed):
    """The norms of the residuals, of each run that was printed, step after step."""
    runs = re.split(r"device\(s\)", printed)[1:]
    return [[float(one) for one in re.findall(r"\d\.\d+e[-+]\d+", run)] for run in runs]


def test_residuals_on_eight_devices_and_in_four_processes_are_those_of_one():
    one, eight = residuals(printed_by("-c", program(8)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    processes = [started("-c", program(2), address, "4", str(number)) for number in range(4)]
    printed = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, printed
    (four,) = residuals(printed[0][0])
    assert len(one) >= 6 and min(one) < 1e-8
    for several in (eight, four):
        np.testing.assert_allclose(several, one, rtol=1e-2, atol=1e-13)
