"""A real cluster on one machine: Slurm, OpenSSH and BMCs in network namespaces (root, Linux only).

    python -m tests.lab up [--nodes N] [--dir DIR]      build it, stay until Ctrl-C, take it down
    python -m tests.lab do DIR VERB [NODE [ARG...]]     break and mend it (verbs: tests/lab/faults.py)
    python -m tests.lab record DIR FOLDER               record what the real tools print
    python -m tests.lab down [--dir DIR]                clean up after a kill

In a test: `with Lab(tmp_path) as lab: lab.do("cut", "n0000.savio2")`; botd reads `DIR/botd.toml`.

Debian packages: slurmctld slurmd slurmdbd slurm-client slurm-wlm-mysql-plugin mariadb-server-core munge
openssh-server openipmi iptables iproute2 util-linux, and bindfs for the scratch mount that can hang (without
it there is none). Installed with RUNLEVEL=1 in the environment, their services stay down.

Every node has its own network, process, mount, host name and time namespace, and its own /run, /tmp,
/var/log and scratch; every other file is this machine's: a command on a node acts on the machine. One lab
at a time: its names stand in /etc/hosts, its bridge is `labbr0`, its network 10.77.0.0/16.
"""
