SUMMARY = "Keeps an AI agent's seat in a guild over Socket.IO"
HOMEPAGE = "https://example.org/guild-bridge"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=877f530d05522f66e709fea56369b26b"

SRC_URI = "git://example.org/guild-bridge.git;protocol=https;branch=main"
SRCREV = "${AUTOREV}"
S = "${WORKDIR}/git"
# the crates of Cargo.lock: bitbake -c update_crates guild-bridge writes this file
require guild-bridge-crates.inc

inherit cargo cargo-update-recipe-crates systemd useradd bash-completion

CARGO_BUILD_FLAGS += "--bin guild-bridge"

USERADD_PACKAGES = "${PN}"
USERADD_PARAM:${PN} = "--system --user-group --home-dir /data/guild-bridge --no-create-home --shell /sbin/nologin guild-bridge"

SYSTEMD_SERVICE:${PN} = "guild-bridge.service guild-bridge-healthcheck.service"

RDEPENDS:${PN} += "ca-certificates"

do_install:append() {
    units=${S}/board/gateway/package/guild-bridge
    install -D -m 0644 ${S}/board/common/guild-bridge.service ${D}${systemd_system_unitdir}/guild-bridge.service
    install -D -m 0644 $units/10-gateway.conf ${D}${systemd_system_unitdir}/guild-bridge.service.d/10-gateway.conf
    install -D -m 0644 $units/guild-bridge-healthcheck.service ${D}${systemd_system_unitdir}/guild-bridge-healthcheck.service
    install -D -m 0644 ${S}/board/common/config.jsonc ${D}${datadir}/guild-bridge/config.jsonc
    # manual pages go into ${PN}-doc, completions for bash into ${PN}-bash-completion, as images ask for them
    install -D -m 0644 ${S}/board/common/man/guild-bridge.1 ${D}${mandir}/man1/guild-bridge.1
    install -D -m 0644 ${S}/board/common/man/guild-bridge.json.5 ${D}${mandir}/man5/guild-bridge.json.5
    install -D -m 0644 ${S}/board/common/completions/guild-bridge.bash ${D}${datadir}/bash-completion/completions/guild-bridge
}

FILES:${PN} += "${systemd_system_unitdir} ${datadir}/guild-bridge"
