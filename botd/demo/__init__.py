r"""A simulated cluster that stands outside the program and speaks the real protocols.

`run_demo` is what `botd demo` calls; `DemoCluster` is the same for tests and benchmarks. All of the cluster lives
in one child process, so that its work never takes the interpreter lock of the program that looks at it::

    botd --ssh-->  node_ssh   \\
         --RMCP+-> node_bmc    > state (one value per node; time, power, Slurm)
         --argv--> standin --> tools: sinfo, scontrol, squeue, sacct, fping
"""

from botd.demo.cluster import DemoCluster, run_demo

__all__ = ["DemoCluster", "run_demo"]
