# Run by sh: keeper.sh FOLDER SECONDS SERVER ARGUMENT…, with file 3 the reading end of
# the FIFO "$1/join". A reader gets an end of file when there is no writer, and each
# writer leaves one byte when it joins.
folder=$1
linger=$2
shift 2
"$@" 3<&- >/dev/null 2>>"$folder/server.log" &
server=$!

# It reads by itself: a child would outlive a keeper that is killed, and still be joined.
read -r joined <&3
while sleep "$linger" 3<&-; read -r joined <&3; [ -n "$joined" ]; do :; done

# From here on nobody new finds the FIFO; those who opened it in time are waited for.
mv "$folder/join" "$folder/gone"
read -r joined <&3

kill -QUIT "$server"
wait "$server"
rm -rf "$folder"
rmdir "$(dirname "$folder")" 2>/dev/null
