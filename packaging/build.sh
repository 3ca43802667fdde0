#!/bin/sh
# Builds botd_VERSION_ARCH.deb and botd-slurm-helper_VERSION_all.deb: build.sh FOLDER, for this machine's Debian.
# It needs uv, dpkg-deb, Debian's python3 and a checkout; root is not needed. The environment in /opt/botd is made of
# requirements.txt, whose every file has its SHA-256, so no byte of it comes from elsewhere.
# DEB_COMPRESSION is dpkg-deb's -Z, for whom time matters more than bytes: of 12 s of CPU, gzip takes 10.
# No debhelper: of what it does, man pages, modes and sums are left here, and those are lines of install(1) and md5sum(1).
set -eu
umask 022
out=$(mkdir -p "$1" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")/.." && pwd)
uv=${UV:-$here/.venv/bin/uv}
python=${DEB_PYTHON:-/usr/bin/python3}
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$here/botd/__init__.py")
at=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct 2>/dev/null || date +%s)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# sample NAME FOLDER: a file of docs/deploy, with the places that a package has.
sample() {
    mkdir -p "$2"
    sed -e 's|/etc/systemd/system/|/lib/systemd/system/|' -e 's|/usr/local/libexec/|/usr/libexec/|' \
        "$here/docs/deploy/$1" >"$2/$1"
}

# documented PACKAGE ROOT: what /usr/share/doc has of every package.
documented() {
    doc=$2/usr/share/doc/$1
    mkdir -p "$doc"
    install -m 0644 "$here/packaging/copyright" "$doc/copyright"
    install -m 0644 "$here/packaging/$1/README.Debian" "$doc/README.Debian"
    printf '%s (%s) stable; urgency=medium\n\n  * What is new stands in CHANGELOG.rst of botd.\n\n -- %s  %s\n' "$1" "$version" \
        'botd contributors <botd@localhost>' "$(date -u -R -d "@$at")" | gzip -9n >"$doc/changelog.gz"
}

# pack PACKAGE ROOT ARCHITECTURE
pack() {
    mkdir -p "$2/DEBIAN"
    for name in postinst prerm postrm conffiles; do
        [ -e "$here/packaging/$1/$name" ] || continue
        install -m 0755 "$here/packaging/$1/$name" "$2/DEBIAN/$name"
    done
    [ ! -e "$2/DEBIAN/conffiles" ] || chmod 0644 "$2/DEBIAN/conffiles"
    size=$(du -sk --exclude=DEBIAN "$2" | cut -f1)
    sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$3/" -e "s/@SIZE@/$size/" "$here/packaging/$1/control" >"$2/DEBIAN/control"
    if [ -e "$here/packaging/$1/lintian-overrides" ]; then
        install -D -m 0644 "$here/packaging/$1/lintian-overrides" "$2/usr/share/lintian/overrides/$1"
    fi
    (cd "$2" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
    find "$2" -newermt "@$at" -exec touch -h -d "@$at" {} +
    SOURCE_DATE_EPOCH=$at dpkg-deb --root-owner-group "-Z${DEB_COMPRESSION:-gzip}" --build "$2" "$out/$1_${version}_$3.deb" >/dev/null
    echo "$out/$1_${version}_$3.deb"
}

# ---- botd ----

root=$work/botd
"$uv" venv --quiet --no-project --python "$python" "$root/opt/botd"
"$uv" pip install --quiet --python "$root/opt/botd" --link-mode copy --require-hashes -r "$here/requirements.txt"
"$uv" build --quiet --wheel --no-build-isolation --python "$here/.venv/bin/python" --out-dir "$work/wheel" "$here"
"$uv" pip install --quiet --python "$root/opt/botd" --link-mode copy --no-deps "$work"/wheel/*.whl
ln -sfn "$(readlink -f "$python")" "$root/opt/botd/bin/python"  # what it is on this machine may be further away
mkdir -p "$root/usr/bin" "$root/usr/share/man/man1" "$root/usr/share/bash-completion" "$root/usr/share/zsh"
for name in botd bofhbot; do
    ln -s "/opt/botd/bin/$name" "$root/usr/bin/$name"
    gzip -9n <"$here/share/man/man1/$name.1" >"$root/usr/share/man/man1/$name.1.gz"
done
cp -r "$here/share/bash-completion/completions" "$root/usr/share/bash-completion/"
cp -r "$here/share/zsh/site-functions" "$root/usr/share/zsh/vendor-completions"
rm -rf "$root/opt/botd/share" "$root"/opt/botd/bin/activate* "$root/opt/botd/bin/deactivate.bat" "$root/opt/botd/bin/pydoc.bat" "$root/opt/botd/.gitignore" "$root/opt/botd/.lock" "$root/opt/botd/CACHEDIR.TAG"
grep -rlIZ "$root" "$root/opt/botd/bin" | xargs -0 sed -i "s|$root||"  # they begin with the name of their Python
find "$root/opt/botd" -name direct_url.json -delete  # it names the folder of this build
find "$root/opt/botd" -name '*.so*' -exec chmod 0644 {} +
for unit in botd-agent.service botd-web.service botd-web.socket; do
    sample "$unit" "$root/lib/systemd/system"
done
for name in nginx.conf checks.toml sudoers slurm-sudoers; do
    sample "$name" "$root/usr/share/doc/botd/examples"
done
sample botd.toml "$root/etc/botd"
sample roles.toml "$root/etc/botd"
chmod 0640 "$root/etc/botd/botd.toml"
documented botd "$root"
pack botd "$root" "$(dpkg --print-architecture)"

# ---- botd-slurm-helper ----

root=$work/helper
install -D -m 0755 "$here/libexec/slurm-helper" "$root/usr/libexec/botd-slurm-helper"
for unit in botd-slurm-helper.socket botd-slurm-helper@.service; do
    sample "$unit" "$root/lib/systemd/system"
done
sample slurm-sudoers "$root/usr/share/doc/botd-slurm-helper/examples"
documented botd-slurm-helper "$root"
pack botd-slurm-helper "$root" all
