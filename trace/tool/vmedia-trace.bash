# SPDX-License-Identifier: BSD-3-Clause
# Completion of vmedia-trace for bash. A test compares it with --help.

_vmedia_trace_options() {
    case $1 in
    record) echo "--output --profile --clock --snapshot --live --duration --pid --buffer --strict" ;;
    report) echo "--output --title --slowest" ;;
    top) echo "--output --format --by" ;;
    timeline) echo "--output --width" ;;
    check) echo "--allow-lost --allow-empty" ;;
    dpdk) echo "--output" ;;
    esac
    echo "--help"
}

# Values of an option; nothing for those that take a file, a number or a text.
_vmedia_trace_values() {
    case $1 in
    -p | --profile) echo "summary detail" ;;
    --clock) echo "monotonic tsc" ;;
    --format) echo "text json csv" ;;
    --by) echo "every all ioctl dqbuf session" ;;
    --pid) pgrep -x vmediad ;;
    --snapshot | --buffer) echo "8M 64M 256M" ;;
    *) return 1 ;;
    esac
}

_vmedia_trace() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command= i values
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -- ]] && return # from here on it is another program's line
        [[ ${COMP_WORDS[i]} == -* || -n $command ]] || command=${COMP_WORDS[i]}
    done
    if [[ -z $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W \
            "record report top timeline check dpdk status --help --version" -- "$word")
    elif values=$(_vmedia_trace_values "$before"); then
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_vmedia_trace_options "$command")" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -o filenames -F _vmedia_trace vmedia-trace
