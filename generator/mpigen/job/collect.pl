#!/usr/bin/perl -w
# Runs in a job's container: a script on each host, one after the other, and what it prints in frames.
# Usage: collect.pl SCRIPT all|first|of HOST...
#   h HOST          the frames that follow are this host's
#   d LENGTH        that many bytes of the script's output follow
#   e STATUS WORDS  how the script ended, and the last line of its errors
use strict;

my $hostfile = '/run/mpi/hostfile';
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
        print "h $host\n";
        my $status = forward( $host, "first=$first\n$script" );
        my @said   = lines_of($errors);
        print "e $status ", ( @said ? $said[-1] : q{} ), "\n";
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
    while ( my $length = sysread $from, my $bytes, 65_536 ) {
        $first = 'no' if $bytes ne "none\n";
        print "d $length\n", $bytes or last;
    }
    close $from;    # sets $?
    return $? >> 8 || ( $? & 127 ? 128 + ( $? & 127 ) : 0 );
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
