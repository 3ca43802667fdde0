"""The process that holds the ssh key and the BMC password, and its parts."""
