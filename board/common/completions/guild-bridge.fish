# completion for guild-bridge, written from the program's table of commands: cargo test --test spec -- pages

# what was typed, without the program, options and their values
function __guild_bridge_typed
    set -l skip no
    for word in (commandline -opc)[2..]
        if test $skip = yes
            set skip no
            continue
        end
        switch $word
            case --wait --check --config --state-dir --socket
                set skip yes
            case '-*'
            case '*'
                echo $word
        end
    end
end

# whether exactly these words were typed, or, with -a first, these and perhaps more
function __guild_bridge_at
    set -l typed (__guild_bridge_typed)
    if test "$argv[1]" = -a
        set argv $argv[2..]
        test (count $typed) -ge (count $argv); or return 1
        set typed $typed[1..(count $argv)]
    end
    test "$typed" = "$argv"
end

# names that the running daemon says: COMMAND MEMBER
function __guild_bridge_said
    set -l line (commandline -opc)
    set -l socket
    set -l at (contains -i -- --socket $line)
    and set socket --socket $line[(math $at + 1)]
    timeout 2 $line[1] $argv[1] --json $socket 2>/dev/null | grep -o "\"$argv[2]\":\"[A-Za-z0-9_.-]*\"" | cut -d '"' -f 4 | sort -u
end

complete -c guild-bridge -f
complete -c guild-bridge -n '__guild_bridge_at ' -a run -d 'the daemon, in the foreground'
complete -c guild-bridge -n '__guild_bridge_at ' -a check -d 'every fault of the configuration with file, line and field'
complete -c guild-bridge -n '__guild_bridge_at ' -a doctor -d 'walks each link step by step, from the key to the history, and asks the agent a test line'
complete -c guild-bridge -n '__guild_bridge_at ' -a status -d 'what the running daemon says of its links and agents, the worst first'
complete -c guild-bridge -n '__guild_bridge_at ' -a send -d 'posts as the agent'
complete -c guild-bridge -n '__guild_bridge_at ' -a tail -d 'follows what passes, one line a message, until interrupted'
complete -c guild-bridge -n '__guild_bridge_at ' -a letters -d 'the replies that a guild refused for good, with their keys'
complete -c guild-bridge -n '__guild_bridge_at ' -a restart -d 'reconnects one agent'\''s links, leaving the others alone'
complete -c guild-bridge -n '__guild_bridge_at ' -a reload -d 'reads the configuration again, as SIGHUP does'
complete -c guild-bridge -n '__guild_bridge_at ' -a budget -d 'what the heap may come to with this configuration, item by item, and, where the daemon runs, what it uses'
complete -c guild-bridge -n '__guild_bridge_at ' -a nudge -d 'links that rest try now'
complete -c guild-bridge -n '__guild_bridge_at ' -a config -d 'OpenWrt'\''s configuration, as `uci export guild-bridge` prints it, as JSON'
complete -c guild-bridge -n '__guild_bridge_at doctor' -a '(__guild_bridge_said status agent)' -d agent
complete -c guild-bridge -n '__guild_bridge_at send' -a '(__guild_bridge_said status agent)' -d agent
complete -c guild-bridge -n '__guild_bridge_at tail' -a '(__guild_bridge_said status agent)' -d agent
complete -c guild-bridge -n '__guild_bridge_at letters' -a show -d 'one of them with its whole text'
complete -c guild-bridge -n '__guild_bridge_at letters' -a retry -d 'posts them again'
complete -c guild-bridge -n '__guild_bridge_at letters' -a drop -d 'forgets them'
complete -c guild-bridge -n '__guild_bridge_at letters show' -a '(__guild_bridge_said letters key)' -d key
complete -c guild-bridge -n '__guild_bridge_at letters retry' -a '(__guild_bridge_said letters key)' -d key
complete -c guild-bridge -n '__guild_bridge_at letters retry' -a '(__guild_bridge_said status agent)' -d agent
complete -c guild-bridge -n '__guild_bridge_at letters drop' -a '(__guild_bridge_said letters key)' -d key
complete -c guild-bridge -n '__guild_bridge_at letters drop' -a '(__guild_bridge_said status agent)' -d agent
complete -c guild-bridge -n '__guild_bridge_at restart' -a '(__guild_bridge_said status agent)' -d agent
complete -c guild-bridge -n '__guild_bridge_at config' -a from-uci -d 'OpenWrt'\''s configuration, as `uci export guild-bridge` prints it, as JSON'
complete -c guild-bridge -n '__guild_bridge_at config from-uci' -F
complete -c guild-bridge -n '__guild_bridge_at -a doctor' -l json -d 'the same as JSON, one line'
complete -c guild-bridge -n '__guild_bridge_at status' -l json -d 'the same as JSON, one line'
complete -c guild-bridge -n '__guild_bridge_at status' -l watch -d 'the same again every second, in place, until interrupted'
complete -c guild-bridge -n '__guild_bridge_at status' -l wait -x -d 'until every link with a key is live (or --check says yes), at most so long'
complete -c guild-bridge -n '__guild_bridge_at status' -l check -x -a 'local guild' -d 'yes when the daemon answers'
complete -c guild-bridge -n '__guild_bridge_at letters' -l json -d 'the same as JSON, one line'
complete -c guild-bridge -n '__guild_bridge_at -a letters show' -l json -d 'the same as JSON, one line'
complete -c guild-bridge -n '__guild_bridge_at reload' -l dry-run -d 'says what it would change, and changes nothing'
complete -c guild-bridge -n '__guild_bridge_at budget' -l json -d 'the same as JSON, one line'
complete -c guild-bridge -l config -r -F -d 'default /etc/guild-bridge/config.json'
complete -c guild-bridge -l state-dir -x -a '(__fish_complete_directories)' -d 'default /run/guild-bridge/state, or /var/lib/guild-bridge where "state" is not memory'
complete -c guild-bridge -l socket -r -F -d 'the control socket, default /run/guild-bridge/control.sock'
complete -c guild-bridge -l version -d 'version, target, features, commit'
complete -c guild-bridge -l help -d 'this'
