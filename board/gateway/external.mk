include $(sort $(wildcard $(BR2_EXTERNAL_GUILD_BRIDGE_PATH)/package/*/*.mk))
