# shellcheck shell=bash
# Sourced by what makes packages: a package is for one machine, and so is a binary.

# machine_of FILE: the machine that it is for, as its ELF header says
machine_of() {
    case $(od -An -tx1 -j 18 -N 2 "$1" | tr -d ' \n') in
    2800) echo arm ;;
    b700) echo aarch64 ;;
    3e00) echo x86_64 ;;
    0800) echo mipsel ;;
    0008) echo mips ;;
    *) echo "no machine that is known here" ;;
    esac
}

# same_machine FILE MACHINE PACKAGE: ends with 65 unless FILE is for MACHINE
same_machine() {
    local machine
    machine=$(machine_of "$1")
    [[ $machine == "$2" ]] || { echo "$(basename "$0"): $1 is for $machine, and $3 is for $2" >&2; exit 65; }
}
