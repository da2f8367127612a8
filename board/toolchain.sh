# shellcheck shell=bash disable=SC2154
# Sourced by board/build: the three ways to a binary for another machine. `tools` is where the distribution's way keeps its own.

# remapped TOOLCHAIN CARGO_HOME: paths of this machine say nothing in the binary: sources, what is built, crates and whichever
# registry they are from, and std with its source in TOOLCHAIN; both as the build sees them. Of two that fit a path the later is
# taken. A flag a line: a path may have blanks.
remapped() {
    local registry
    printf -- '--remap-path-prefix=%s\n' "$top=/guild-bridge" "$CARGO_TARGET_DIR=/target" "$1=/tools"
    for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
        printf -- '--remap-path-prefix=%s\n' "$2/registry/src/${registry##*/}=/crates"
    done
    # cargo names what lies below the project by its path from there
    [[ $1 != "$top"/* ]] || printf -- '--remap-path-prefix=%s\n' "${1#"$top"/}=/tools"
}

# encoded TOOLCHAIN CARGO_HOME TARGET: all of rustc's flags, as cargo takes those with blanks
encoded() {
    local all IFS=$'\037'
    mapfile -t all < <(remapped "$1" "$2" && flags "$3")
    echo "${all[*]}"
}

# flags TARGET: what rustc wants beyond, a flag a line. Nothing unwinds (panic = "abort"), so no table for it. On MIPS a panic says
# its file alone: its lines and columns are 15 kB.
flags() {
    case $1 in
    # without relocation-model the result is a static-pie with text relocations, which jumps to nowhere. The cfg is libc's own:
    # without it its timerfd_settime is musl's for 32-bit times, rustix hands that 64-bit ones, and every timer is disarmed
    mipsel-*) printf '%s\n' --cfg=libc_unstable_musl_v1_2 -Zlocation-detail=file -Cforce-unwind-tables=no -Crelocation-model=static -Ctarget-feature=+crt-static ;;
    # every ARMv7 runs Thumb-2, which is a quarter shorter; rustc warns that the feature's name may change
    armv7-*) printf '%s\n' -Cforce-unwind-tables=no -Ctarget-feature=+crt-static,+thumb-mode ;;
    *) printf '%s\n' -Cforce-unwind-tables=no -Ctarget-feature=+crt-static ;;
    esac
}

said_of() {
    case $1 in
    rustup) rustc -V ;;
    cross) cross --version 2>/dev/null | head -n 1 ;;
    distribution) echo "rustc with its source of std from Debian, zig from PyPI" ;;
    esac
}

# wants_of WAY TARGET: what it needs
wants_of() {
    case $1 in
    rustup) echo "its rustup target with cargo-zigbuild (rustup target add $2; cargo install cargo-zigbuild; pip install ziglang)" ;;
    cross) echo "cross with a container engine, which is not for mipsel" ;;
    distribution) echo "Debian on amd64 with apt-get and python3 (apt-get install python3-venv)" ;;
    esac
}

# features_of TARGET: what fits in its bound. Systems for 64-bit ARM and OpenWrt have roots of their own, which the packages
# depend on; MIPS code is large and its boards' flash is small: they go without the page, too
features_of() {
    case $1 in
    mipsel-*) echo --no-default-features ;;
    aarch64-*) printf '%s\n' --no-default-features --features=page ;;
    *) echo --features=page,roots ;;
    esac
}

has_rustup() {
    command -v rustup >/dev/null && command -v cargo-zigbuild >/dev/null && rustup target list --installed 2>/dev/null | grep -qx "$1"
}

build_by_rustup() {
    cargo fetch -q --locked || return 1
    CARGO_ENCODED_RUSTFLAGS=$(encoded "$(rustc --print sysroot)" "${CARGO_HOME:-$HOME/.cargo}" "$1") cargo zigbuild --release --locked --bin guild-bridge --target "$1" "${features[@]}"
}

# cross 0.2.5 builds std by a nightly compiler alone, and what came after it has no image for mipsel
has_cross() {
    [[ $1 != mipsel-* ]] || return 1
    command -v cross >/dev/null || return 1
    { command -v docker >/dev/null && docker info >/dev/null 2>&1; } || { command -v podman >/dev/null && podman info >/dev/null 2>&1; }
}

# cross looks for Cross.toml, and tells only in a warning that it did not take cross.toml. In its container the project is where it
# is here, the compiler in /rust and cargo's home /cargo.
build_by_cross() {
    cargo fetch -q --locked || return 1
    CROSS_CONFIG=$top/cross.toml CARGO_ENCODED_RUSTFLAGS=$(encoded /rust /cargo "$1") cross build --release --locked --bin guild-bridge --target "$1" "${features[@]}"
}

has_distribution() {
    command -v apt-get >/dev/null && command -v dpkg >/dev/null && command -v python3 >/dev/null && [[ $(dpkg --print-architecture) == amd64 ]]
}

# Debian's rustc 1.96 and what it is linked with; rust-web-src has the source of std with its crates, at the place where
# -Z build-std looks. Compiler and source must be of one version.
debs=(rustc-web cargo-web libstd-rust-web-dev libstd-rust-web-1.96 rust-web-src libllvm22 libgit2-1.5 libssh2-1 libmbedtls14
    libmbedx509-1 libmbedcrypto7 libhttp-parser2.9 libcurl4)
zig=0.17.1
zigbuild=0.24.0

# apt-get with an index of its own: the machine's may be older than its archive, and is left alone
own_apt() {
    mkdir -p "$tools/apt/lists/partial" "$tools/apt/cache/archives/partial"
    apt-get -o Dir::State="$tools/apt" -o Dir::State::lists="$tools/apt/lists" -o Dir::State::status=/var/lib/dpkg/status \
        -o Dir::Cache="$tools/apt/cache" -o Debug::NoLocking=1 -o APT::Sandbox::User=root -o Acquire::Languages=none "$@"
}

# downloaded COMMAND…: the packages, into debs
downloaded() {
    (cd "$tools/debs" && "$@" download -q "${debs[@]}" >/dev/null)
}

distribution_tools() {
    [[ -f $tools/done ]] && return
    rm -rf "$tools" && mkdir -p "$tools/debs" "$tools/rust" "$tools/bin"
    echo "board/build: fetching the distribution's toolchain into $tools"
    if ! downloaded apt-get 2>/dev/null && ! { own_apt update -q >/dev/null && downloaded own_apt; }; then
        echo "board/build: a package is not to be had (${debs[*]}): another Debian than 12 with its security archive, or no network" >&2
        return 1
    fi
    rm -rf "$tools/apt"
    for deb in "$tools"/debs/*.deb; do dpkg -x "$deb" "$tools/rust"; done
    rm -rf "$tools/debs"
    for program in rustc rustdoc cargo; do
        printf '#!/bin/sh\nLD_LIBRARY_PATH="%s/rust/usr/lib/x86_64-linux-gnu" exec "%s/rust/usr/bin/%s" "$@"\n' "$tools" "$tools" "$program" >"$tools/bin/$program"
        chmod +x "$tools/bin/$program"
    done
    if ! { python3 -m venv "$tools/venv" && "$tools/venv/bin/pip" install -q --disable-pip-version-check "ziglang==$zig" "cargo-zigbuild==$zigbuild"; }; then
        echo "board/build: ziglang $zig and cargo-zigbuild $zigbuild are not to be had from PyPI: is python3-venv here (apt-get install python3-venv), and a network?" >&2
        return 1
    fi
    touch "$tools/done"
}

# a stable compiler builds std only when it is told that it may: RUSTC_BOOTSTRAP. The features leave out what prints a backtrace:
# without symbols it says nothing, and a panic says where it was without it. Without link-self-contained=no it looks for
# start files that only a rustup component has. 69: its tools are not to be had.
build_by_distribution() {
    local last=(-C link-self-contained=no -C "link-arg=-Wl,-T,board/discard.ld")
    distribution_tools || return 69
    "$tools/bin/cargo" fetch -q --locked || return 1
    CARGO_ENCODED_RUSTFLAGS=$(encoded "$tools" "${CARGO_HOME:-$HOME/.cargo}" "$1") PATH=$tools/bin:$tools/venv/bin:$PATH CARGO=$tools/bin/cargo RUSTC_BOOTSTRAP=1 \
        cargo-zigbuild rustc --release --locked --bin guild-bridge --target "$1" "${features[@]}" -Z build-std=std,panic_abort \
        -Z build-std-features=optimize_for_size -- "${last[@]}"
}
