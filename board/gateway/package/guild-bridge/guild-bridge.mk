################################################################################
#
# guild-bridge
#
################################################################################

GUILD_BRIDGE_VERSION = 0.1.0
# from the tree that this folder is in: board/gateway, two levels below its top
GUILD_BRIDGE_SITE = $(BR2_EXTERNAL_GUILD_BRIDGE_PATH)/../..
GUILD_BRIDGE_SITE_METHOD = local
GUILD_BRIDGE_LICENSE = MIT or Apache-2.0
GUILD_BRIDGE_LICENSE_FILES = LICENSE
# binaries and sources of other builds stay where they are
GUILD_BRIDGE_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude target --exclude dist
GUILD_BRIDGE_CARGO_BUILD_OPTS = --bin guild-bridge
GUILD_BRIDGE_CARGO_INSTALL_OPTS = --bin guild-bridge

define GUILD_BRIDGE_USERS
	guild-bridge -1 guild-bridge -1 * /data/guild-bridge - - guild-bridge
endef

define GUILD_BRIDGE_INSTALL_SHARE
	$(INSTALL) -D -m 0644 $(@D)/board/common/config.jsonc \
		$(TARGET_DIR)/usr/share/guild-bridge/config.jsonc
	$(INSTALL) -D -m 0644 $(@D)/board/common/completions/guild-bridge.bash \
		$(TARGET_DIR)/usr/share/bash-completion/completions/guild-bridge
	$(INSTALL) -D -m 0644 $(@D)/board/common/man/guild-bridge.1 \
		$(TARGET_DIR)/usr/share/man/man1/guild-bridge.1
	$(INSTALL) -D -m 0644 $(@D)/board/common/man/guild-bridge.json.5 \
		$(TARGET_DIR)/usr/share/man/man5/guild-bridge.json.5
endef
GUILD_BRIDGE_POST_INSTALL_TARGET_HOOKS += GUILD_BRIDGE_INSTALL_SHARE

define GUILD_BRIDGE_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(GUILD_BRIDGE_PKGDIR)/S80guild-bridge \
		$(TARGET_DIR)/etc/init.d/S80guild-bridge
endef

define GUILD_BRIDGE_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(@D)/board/common/guild-bridge.service \
		$(TARGET_DIR)/usr/lib/systemd/system/guild-bridge.service
	$(INSTALL) -D -m 0644 $(GUILD_BRIDGE_PKGDIR)/10-gateway.conf \
		$(TARGET_DIR)/usr/lib/systemd/system/guild-bridge.service.d/10-gateway.conf
	$(INSTALL) -D -m 0644 $(GUILD_BRIDGE_PKGDIR)/guild-bridge-healthcheck.service \
		$(TARGET_DIR)/usr/lib/systemd/system/guild-bridge-healthcheck.service
endef

$(eval $(cargo-package))
