//! The boards that are there to be emulated: what an emulator is told, and what the daemon may take on them.

/// One target of `board/build`.
pub struct Kind {
    pub target: &'static str,
    /// The processor of the least board of this kind.
    pub cpu: &'static str,
    /// The whole machine, where Debian has a kernel for it; `None`: no boot.
    pub machine: Option<Machine>,
    /// The most that may be resident and anonymous with one TLS link, 2.5 and 0.8 MB, in kB of /proc, which are 1024 bytes.
    pub bounds_kb: Option<(u64, u64)>,
}

pub struct Machine {
    pub options: &'static [&'static str],
    pub console: &'static str,
    /// What the kernel needs for the network, in order.
    pub modules: &'static [&'static str],
}

const VIRTIO: &[&str] =
    &["net/core/failover", "drivers/net/net_failover", "drivers/virtio/virtio_mmio", "drivers/net/virtio_net"];

const ARM: Machine = Machine {
    options: &["-M", "virt,highmem=off", "-cpu", "cortex-a7", "-device", "virtio-net-device,netdev=n0"],
    console: "ttyAMA0",
    modules: VIRTIO,
};

pub const KINDS: &[Kind] = &[
    Kind {
        target: "armv7-unknown-linux-musleabihf",
        cpu: "cortex-a7",
        machine: Some(ARM),
        bounds_kb: Some((2441, 781)),
    },
    // Debian's armhf kernel wants ARMv7: the ARMv6 binary is booted on that
    Kind { target: "arm-unknown-linux-musleabihf", cpu: "arm1176", machine: Some(ARM), bounds_kb: None },
    Kind {
        target: "aarch64-unknown-linux-musl",
        cpu: "cortex-a53",
        machine: Some(Machine {
            options: &["-M", "virt", "-cpu", "cortex-a53", "-device", "virtio-net-device,netdev=n0"],
            console: "ttyAMA0",
            modules: VIRTIO,
        }),
        bounds_kb: None,
    },
    Kind {
        target: "mipsel-unknown-linux-musl",
        cpu: "24KEc",
        machine: Some(Machine {
            options: &["-M", "malta", "-cpu", "24KEc", "-vga", "none", "-device", "pcnet,netdev=n0,romfile="],
            console: "ttyS0",
            modules: &["drivers/net/mii", "drivers/net/ethernet/amd/pcnet32"],
        }),
        bounds_kb: None,
    },
    Kind { target: "x86_64-unknown-linux-musl", cpu: "", machine: None, bounds_kb: None },
];

pub fn kind(target: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.target == target)
}
