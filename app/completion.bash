# SPDX-License-Identifier: BSD-3-Clause
# Completion for bash of all programs here but vmedia-trace: options as their --help lists them, else files.

_vmedia_programs="vmediad vmedia-stream vmedia-v4l2 vmedia-capacity vmedia-compare vmedia-connect
    vmedia-floor vmedia-idle vmedia-latency vmedia-load vmedia-micro vmedia-streams"

_vmedia() {
    local program=$1 word=${COMP_WORDS[COMP_CWORD]} i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then # from here on it is another program's line
            mapfile -t COMPREPLY < <(compgen -c -f -- "$word")
            return
        fi
    done
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$("$program" --help 2> /dev/null |
            sed -nE 's/^ +(-., )?(--[a-z][a-z-]*).*/\2/p')" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "${word#=}")
    fi
}

complete -o filenames -F _vmedia $_vmedia_programs
