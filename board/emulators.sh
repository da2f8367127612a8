# shellcheck shell=bash disable=SC2154
# Sourced by board/check: emulators, kernels and busybox from the distribution's archive, unpacked below `emulators` and installed
# nowhere. Each function says on standard error why it cannot, and nothing else.

# private ARCHITECTURE COMMAND…: apt with lists, cache and architectures of its own: what is known to the machine's apt stays so
private() {
    local architecture=$1 program=$2 state=$emulators/apt
    shift 2
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    "$program" -o Dir::State="$state" -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache="$state/cache" -o Debug::NoLocking=1 \
        -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Architectures::=amd64 \
        -o "APT::Architectures::=$architecture" "$@"
}

can_fetch() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null || [[ $(dpkg --print-architecture) != amd64 ]]; then
        echo "this is no Debian on amd64: kernels, busybox and emulators come from its archive" >&2
        return 1
    fi
}

# once NAME FUNCTION…: a folder below `emulators` that is filled by a function, whole or not at all
once() {
    local name=$1
    shift
    [[ -f $emulators/$name/done ]] && return
    can_fetch || return
    rm -rf "${emulators:?}/$name" && mkdir -p "$emulators/$name/debs/partial"
    if ! "$@" "$emulators/$name" >"$emulators/$name.log" 2>&1; then
        echo "$name is not to be had: $(grep -m 1 '^E:' "$emulators/$name.log" || tail -n 1 "$emulators/$name.log")" >&2
        return 1
    fi
    rm -rf "$emulators/$name/debs" && touch "$emulators/$name/done"
}

unpacked() {
    local deb
    for deb in "$1"/debs/*.deb; do dpkg -x "$deb" "$1" || return; done
}

# an index that is out of step with its mirror is no reason to stop: what is needed may stand in another
updated() {
    private "$1" apt-get update -q || echo "apt-get update ended with $?"
}

user_emulators() {
    updated amd64 && (cd "$1/debs" && private amd64 apt-get download -q qemu-user-static) && unpacked "$1"
}

# with the libraries that this machine has not
system_emulators() {
    updated amd64 && private amd64 apt-get install -q -y -d --no-install-recommends -o Dir::Cache::archives="$1/debs" \
        qemu-system-arm qemu-system-mips && unpacked "$1"
}

# board_of ARCHITECTURE KERNEL FOLDER: kernel with its modules, and busybox
board_of() {
    local architecture=$1 kernel
    updated "$architecture" || return
    kernel=$(private "$architecture" apt-cache depends "$2:$architecture" | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1)
    [[ -n $kernel ]] || { echo "E: $2 is not in the archive for $architecture"; return 1; }
    (cd "$3/debs" && private "$architecture" apt-get download -q "$kernel" "busybox-static:$architecture") && unpacked "$3"
}

# user_emulator NAME: the program, where it is
user_emulator() {
    command -v "qemu-$1-static" && return
    once qemu-user user_emulators && echo "$emulators/qemu-user/usr/bin/qemu-$1-static"
}

# system_emulator NAME: the program, wrapped so that it finds its own libraries and ROMs
system_emulator() {
    local root=$emulators/qemu-system
    command -v "qemu-system-$1" && return
    once qemu-system system_emulators || return
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s/usr/lib/x86_64-linux-gnu:%s/lib/x86_64-linux-gnu exec %s/usr/bin/qemu-system-%s -L %s/usr/share/qemu "$@"\n' \
        "$root" "$root" "$root" "$1" "$root" >"$root/$1"
    chmod +x "$root/$1"
    "$root/$1" --version >/dev/null 2>"$root/$1.log" || { echo "qemu-system-$1 does not run: $(head -n 1 "$root/$1.log")" >&2; return 1; }
    echo "$root/$1"
}
