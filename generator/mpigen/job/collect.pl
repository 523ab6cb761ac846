#!/usr/bin/perl -w
# Runs in a job's container: a script on each host, one after the other, and what it prints in frames.
# Usage: collect.pl SCRIPT all|first|of HOST...
#   h HOST          the frames that follow are this host's
#   d LENGTH        that many bytes of the script's output follow
#   e STATUS WORDS  how the script ended, and the last line of its errors
use strict;

my $hostfile = '/run/mpi/hostfile';
my $PIECE    = 524_288;
my $errors   = "/tmp/mpigen-collect.$$";
my $first    = 'yes';    # until a host has something to send: what all of them share comes once

sub main {
    my ( $script, $which, @hosts ) = @_;
    if ( $which ne 'of' ) {
        system('mpi-hostfile') == 0 or return 1;
        @hosts = in_order();
        splice @hosts, 1 if $which eq 'first';
    }
    binmode STDOUT;
    for my $host (@hosts) {
        put("h $host\n");
        my $status = forward( $host, "first=$first\n$script" );
        my @said   = lines_of($errors);
        put( "e $status " . ( @said ? $said[-1] : q{} ) . "\n" );
    }
    unlink $errors;
    return 0;
}

# The names of all hosts, in the order in which MPI gives them ranks.
sub in_order {
    my %name = map { (split)[ 2, 1 ] } lines_of("$hostfile.names");
    return map { $name{$_} // () } map {/^([\d.]+)/} lines_of($hostfile);
}

# Runs the script on a host, and prints its output in frames; returns its exit status.
sub forward {
    my ( $host, $script ) = @_;
    my $child = open my $from, '-|';
    defined $child or die "collect: $!\n";
    if ( !$child ) {
        open STDERR, '>', $errors or exit 255;
        exec 'ssh', '-n', q{--}, $host, $script or exit 255;
    }

    # Docker takes large pieces faster than those of Perl's own buffer.
    my $bytes = q{};
    while ( my $length = sysread $from, $bytes, $PIECE, length $bytes ) {
        next if length $bytes < $PIECE;
        put( sprintf( "d %d\n", length $bytes ) . $bytes );
        ( $bytes, $first ) = ( q{}, 'no' );
    }
    put( sprintf( "d %d\n", length $bytes ) . $bytes ) if length $bytes;
    $first = 'no' if length $bytes && $bytes ne "none\n";
    close $from;    # sets $?
    return $? >> 8 || ( $? & 127 ? 128 + ( $? & 127 ) : 0 );
}

# Prints without Perl's own buffer.
sub put {
    my ($bytes) = @_;
    my $done = 0;
    while ( $done < length $bytes ) {
        $done += syswrite( STDOUT, $bytes, length($bytes) - $done, $done ) // die "collect: $!\n";
    }
    return;
}

sub lines_of {
    my ($path) = @_;
    open my $handle, '<', $path or return;
    my @lines = map {s/\s+\z//r} <$handle>;
    close $handle;
    return grep {length} @lines;
}

exit main(@ARGV) unless caller;
1;
