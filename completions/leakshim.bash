# Completion of leakshim for bash. The options come from the program's own help.
_leakshim() {
    local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} program=${COMP_WORDS[0]} words i
    COMPREPLY=()
    # Bash takes "=" for a word of its own.
    local option=
    if [[ $current == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 1]} current=
    elif ((COMP_CWORD > 2)) && [[ ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [[ -n $option ]]; then
        case $option in
        --format)
            case $command in
            check) words="text json junit sarif github" ;;
            symbolize) words="text json" ;;
            *) words="text html folded pprof" ;;
            esac ;;
        --value) words="live growth count" ;;
        --color) words="auto always never" ;;
        --fail-on) words="leaking fragmenting learning degraded none" ;;
        --resource) words="heap map js thread socket file custom" ;;
        --mode) words="sampled exact off" ;;
        --allocator) words="host jemalloc" ;;
        *) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        esac
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
        return
    fi
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "run check report diff symbolize top version help" -- "$current")
        return
    fi
    if [[ $command == run ]]; then
        for ((i = 2; i < COMP_CWORD; i++)); do
            [[ ${COMP_WORDS[i]} == -- ]] && {
                mapfile -t COMPREPLY < <(compgen -c -- "$current"; compgen -f -- "$current")
                return
            }
        done
    fi
    if [[ $current == -* ]]; then
        words=$("$program" "$command" --help 2>/dev/null | sed -n 's/^  --\([a-z_-]*\)\(=\{0,1\}\).*/--\1\2/p')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
        [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    elif [[ $command == run ]]; then
        mapfile -t COMPREPLY < <(compgen -c -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}
complete -o filenames -F _leakshim leakshim
