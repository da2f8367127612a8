# completion for guild-bridge, written from the program's table of commands: cargo test --test spec -- pages

# _guild_bridge_said PROGRAM COMMAND MEMBER [--socket FILE]: names that the running daemon says
_guild_bridge_said() {
    timeout 2 "$1" "$2" --json "${@:4}" 2>/dev/null | grep -o "\"$3\":\"[A-Za-z0-9_.-]*\"" | cut -d '"' -f 4 | sort -u
}

_guild_bridge() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} at offers='' files='' options='' words=() socket=()
    COMPREPLY=()
    [[ $cur != '=' ]] || cur=''
    [[ $prev != '=' ]] || prev=${COMP_WORDS[COMP_CWORD - 2]}
    for ((at = 1; at < COMP_CWORD; at++)); do
        case ${COMP_WORDS[at]} in
        --wait | --check | --config | --state-dir | --socket)
            local option=${COMP_WORDS[at]}
            at=$((at + 1))
            [[ ${COMP_WORDS[at]} != '=' ]] || at=$((at + 1))
            [[ $option != --socket ]] || socket=(--socket "${COMP_WORDS[at]}")
            ;;
        -*) ;;
        *) words+=("${COMP_WORDS[at]}") ;;
        esac
    done
    case $prev in
    --wait) true && return ;;
    --check) mapfile -t COMPREPLY < <(compgen -W 'local guild' -- "$cur") && return ;;
    --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
    --state-dir) mapfile -t COMPREPLY < <(compgen -d -- "$cur") && return ;;
    --socket) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && return ;;
    esac
    case ${words[*]} in
    'doctor' | 'doctor '*) options='--json' ;;
    'status') options='--json --watch --wait --check' ;;
    'letters') options='--json' ;;
    'letters show' | 'letters show '*) options='--json' ;;
    'reload') options='--dry-run' ;;
    'budget') options='--json' ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options --config --state-dir --socket --version --help" -- "$cur")
        return
    fi
    case ${words[*]} in
    '') offers='run check doctor status send tail letters restart reload budget nudge config' ;;
    'doctor') offers+=" $(_guild_bridge_said "$1" status agent "${socket[@]}")" ;;
    'send') offers+=" $(_guild_bridge_said "$1" status agent "${socket[@]}")" ;;
    'tail') offers+=" $(_guild_bridge_said "$1" status agent "${socket[@]}")" ;;
    'letters') offers='show retry drop' ;;
    'letters show') offers+=" $(_guild_bridge_said "$1" letters key "${socket[@]}")" ;;
    'letters retry') offers+=" $(_guild_bridge_said "$1" letters key "${socket[@]}")"; offers+=" $(_guild_bridge_said "$1" status agent "${socket[@]}")" ;;
    'letters drop') offers+=" $(_guild_bridge_said "$1" letters key "${socket[@]}")"; offers+=" $(_guild_bridge_said "$1" status agent "${socket[@]}")" ;;
    'restart') offers+=" $(_guild_bridge_said "$1" status agent "${socket[@]}")" ;;
    'config') offers='from-uci' ;;
    'config from-uci') files=yes ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$offers" -- "$cur")
    [[ -z $files ]] || mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
}
complete -F _guild_bridge guild-bridge
