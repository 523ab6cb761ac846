#!/usr/bin/perl
# Tells a broken path from a slow server, by what the kernel knows of a connection (TCP_INFO): a
# kernel acknowledges packets however busy the programs on it are.
#   perl -e "$TCP" connect ADDRESS PORT   prints open, silent, slow WHAT SECONDS or refused REASON
#   perl -e "$TCP" sizes ADDRESS PORT     the same, but full or large in place of open: a packet of
#                                         full size was, or never is, acknowledged by an ssh server
use strict;
use warnings;
use Errno qw(ECONNREFUSED);
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use Socket qw(:DEFAULT IPPROTO_TCP);

# linux/tcp.h, net/tcp_states.h
my ($TCP_INFO, $ESTABLISHED, $SYN_SENT, $CLOSED) = (11, 1, 2, 7);
my ($TCP_MAXSEG, $SIOCOUTQ, $INFO_BYTES) = (2, 0x5411, 28);    # linux/tcp.h, asm-generic/ioctls.h
my $NAP          = 0.1;                                  # seconds
my $LOST_SYNS    = 4;    # sent again each second; before Linux 6.5 after 1, 2, 4 and 8 s
my $LOST_PACKETS = 5;    # sent again after 0.2 s, then each time after twice as long

my ($what, $address, $port, $patience) = @ARGV;
$patience //= 40;    # seconds

# the state, how often the kernel has sent the last packet again, the largest payload in bytes,
# and the number of packets without an answer
sub info {
    my ($socket) = @_;
    my $info = getsockopt($socket, IPPROTO_TCP, $TCP_INFO) // return (0) x 4;
    return unpack 'C x C x13 L x4 L', $info if length $info >= $INFO_BYTES;

    # QEMU's emulation of a processor has no TCP_INFO: the state, the size and the bytes without an
    # answer are known, and how often a packet was sent again is not
    my $ready = '';
    vec($ready, fileno $socket, 1) = 1;
    select undef, $ready, undef, 0;
    my $state = getpeername($socket) ? $ESTABLISHED : vec($ready, fileno $socket, 1) ? $CLOSED : $SYN_SENT;
    my $size = unpack 'i', getsockopt($socket, IPPROTO_TCP, $TCP_MAXSEG) // pack 'i', 0;
    my $waiting = pack 'i', 0;
    ioctl $socket, $SIOCOUTQ, $waiting;
    return ($state, 0, $size, unpack 'i', $waiting);
}

sub answer {
    print "@_\n";
    exit;
}

# waits until the function returns something
sub wait_for {
    my ($function, $for) = @_;
    my $began = time;
    while (time - $began < $patience) {
        my $found = $function->();
        return $found if defined $found;
        select undef, undef, undef, $NAP;
    }
    return answer('slow', $for, $patience);
}

my $ip = inet_aton($address) // answer('slow', 'name', 0);
socket my $socket, PF_INET, SOCK_STREAM, 0 or answer('refused', $!);
fcntl $socket, F_SETFL, O_NONBLOCK | fcntl $socket, F_GETFL, 0;
connect $socket, pack_sockaddr_in($port, $ip);
wait_for(
    sub {
        my ($state, $again) = info($socket);
        return 1 if $state == $ESTABLISHED;
        if ($state == $SYN_SENT) {
            answer('silent') if $again >= $LOST_SYNS;
            return;
        }
        my $error = unpack 'i', getsockopt $socket, SOL_SOCKET, SO_ERROR;
        return 1 if !$error;    # it was there, and is closed already
        local $! = $error;
        answer($! == ECONNREFUSED ? "refused $!" : 'silent');
    },
    'connection'
);
answer('open') if $what eq 'connect';

my $greeting = '';
wait_for(
    sub {
        my $count = sysread $socket, $greeting, 1024, length $greeting;
        return if !defined $count;
        answer('refused it closes the connection') if !$count;
        return $greeting =~ /\n/ ? 1 : undef;
    },
    'greeting'
);
answer('refused it is not an ssh server') if $greeting !~ /^SSH-/;

# One packet of full size, alone, or network cards would cut it only at its destination; the line
# does not end, so the server waits for more.
my (undef, undef, $size) = info($socket);
syswrite $socket, 'SSH-2.0-' . 'x' x ($size - 8);
wait_for(
    sub {
        my ($state, $again, undef, $unanswered) = info($socket);
        return 1 if $state != $ESTABLISHED || !$unanswered;
        answer('large') if $again >= $LOST_PACKETS;
        return;
    },
    'packet'
);
answer('full');
