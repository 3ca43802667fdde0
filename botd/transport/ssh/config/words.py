"""Every keyword of ssh_config(5) to OpenSSH 10.5, by what botd makes of it. One that is in no list refuses the start.

What would take botd to another machine than ssh, or make it trust more than ssh does, is refused where it is not
followed. What only makes ssh trust more, or goes the same way in another manner, is told once and not followed.
"""

from __future__ import annotations

from typing import NamedTuple

_FOLLOWED = """
globalknownhostsfile host hostkeyalias hostname identityfile ignoreunknown include match port proxycommand proxyjump
user userknownhostsfile
"""
FOLLOWED = frozenset(_FOLLOWED.split())


class NotFollowed(NamedTuple):
    """Why a line is not followed, and the values (in small letters) under which that makes no difference."""

    why: str
    harmless: tuple[str, ...] = ()


NO = ("no", "false")

REFUSED = {
    "canonicalizehostname": NotFollowed("botd asks no resolver for the full form of a name: use HostName", NO),
    "revokedhostkeys": NotFollowed("botd does not read it: write `@revoked * TYPE KEY` into known_hosts", ("none",)),
    "refuseconnection": NotFollowed("botd does not follow it"),
}

TOLD = {
    "addressfamily": NotFollowed("botd takes the first address that the resolver has", ("any",)),
    "bindaddress": NotFollowed("the system chooses the address that botd connects from"),
    "bindinterface": NotFollowed("the system chooses the address that botd connects from"),
    "checkhostip": NotFollowed("the first of the names and the address that has a key decides", NO),
    "gssapikeyexchange": NotFollowed("botd goes by host keys alone", NO),
    "knownhostscommand": NotFollowed("botd does not run it, so keys that only it knows are unknown", ("none",)),
    "nohostauthenticationforlocalhost": NotFollowed("botd checks the host key of every host", NO),
    "requiredrsasize": NotFollowed("botd takes a known RSA key of any size"),
    "rsaminsize": NotFollowed("botd takes a known RSA key of any size"),
    "stricthostkeychecking": NotFollowed("[ssh] host_key_policy decides", ("yes", "true", "ask")),
    "verifyhostkeydns": NotFollowed("botd takes no host key from DNS", NO),
}

_PASSED_OVER = """
addkeystoagent afstokenpassing batchmode canonicaldomains canonicalizefallbacklocal canonicalizemaxdots
canonicalizepermittedcnames casignaturealgorithms certificatefile challengeresponseauthentication channeltimeout
cipher ciphers clearallforwardings compression compressionlevel connectionattempts connecttimeout controlmaster
controlpath controlpersist dsaauthentication dynamicforward enableescapecommandline enablesshkeysign escapechar
exitonforwardfailure fallbacktorsh fingerprinthash forkafterauthentication forwardagent forwardx11 forwardx11timeout
forwardx11trusted gatewayports globalknownhostsfile2 gssapiauthentication gssapiclientidentity
gssapidelegatecredentials gssapikexalgorithms gssapirenewalforcesrekey gssapiserveridentity gssapitrustdns
hashknownhosts hostbasedacceptedalgorithms hostbasedauthentication hostbasedkeytypes hostkeyalgorithms
identitiesonly identityagent ipqos kbdinteractiveauthentication kbdinteractivedevices keepalive
kerberosauthentication kerberostgtpassing kexalgorithms localcommand localforward loglevel logverbose macs
numberofpasswordprompts obscurekeystroketiming passwordauthentication permitlocalcommand permitremoteopen
pkcs11provider preferredauthentications protocol protocolkeepalives proxyusefdpass pubkeyacceptedalgorithms
pubkeyacceptedkeytypes pubkeyauthentication rekeylimit remotecommand remoteforward requesttty rhostsauthentication
rhostsrsaauthentication rsaauthentication securitykeyprovider sendenv serveralivecountmax serveraliveinterval
sessiontype setenv setuptimeout skeyauthentication smartcarddevice stdinnull streamlocalbindmask
streamlocalbindunlink syslogfacility tag tcpkeepalive tisauthentication tunnel tunneldevice updatehostkeys
useprivilegedport userknownhostsfile2 useroaming usersh versionaddendum visualhostkey warnweakcrypto xauthlocation
"""
PASSED_OVER = frozenset(_PASSED_OVER.split())
"""How ssh logs in, encrypts, forwards and talks, which is no question of where and of whom. With them stand the words
of distributions' patches (GSSAPI*, SetupTimeOut, ProtocolKeepAlives) and those that OpenSSH itself ignores."""
