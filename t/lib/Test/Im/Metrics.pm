# Metrics in Prometheus' text format: reads them, and finds faults of the form.

package Test::Im::Metrics;

use strict;
use warnings;

my $Name = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $Promtool;


# { NAME{LABELS} => NUMBER }, and { NAME => TYPE }; dies of a fault.
sub parse {
    my ($text, $head) = @_;
    my (%value, %help, %type, $family);

    die "content type: $head\n" if defined $head
        && $head !~ m{^Content-Type: text/plain; version=0\.0\.4\b}mi;
    die "the last line does not end\n" unless $text =~ /\n\z/;

    for my $line (split /\n/, $text) {
        if ($line =~ /\A# HELP ($Name) (\S.*)\z/) {
            $family = $1;
            die "two HELP: $line\n" if $help{$family}++;
            next;
        }

        if ($line =~ /\A# TYPE ($Name) (counter|gauge|histogram)\z/) {
            my ($name, $kind) = ($1, $2);

            die "two TYPE: $line\n" if exists $type{$name};
            die "TYPE without HELP: $line\n" unless $help{$name};
            die "a counter without _total: $line\n"
                if $kind eq 'counter' && $name !~ /_total\z/;
            $type{$name} = $kind;
            next;
        }

        my ($name, $labels, $number) = $line
            =~ /\A($Name)(\{[^{}]*\})? ([0-9]+(?:\.[0-9]+)?)\z/
            or die "not a sample: $line\n";
        my $base = $name;

        $base =~ s/_(?:bucket|sum|count)\z// unless exists $type{$base};
        die "a sample of another family: $line\n"
            unless defined $family && $base eq $family && exists $type{$base};

        if (defined $labels) {
            my $rest = $labels;
            my %seen;

            while ($rest =~ s/\A[{,]([a-z_]+)="(?:[^"\\]|\\[\\"n])*"//) {
                die "a label twice: $line\n" if $seen{$1}++;
            }

            die "labels: $line\n" unless $rest eq '}';
        }

        my $key = $name . (defined $labels ? $labels : '');
        die "a sample twice: $line\n" if exists $value{$key};
        $value{$key} = $number;
    }

    defined $type{$_} or die "HELP without TYPE: $_\n" for keys %help;
    buckets(\%value, \%type);

    return (\%value, \%type);
}


# They rise, and the last one is the count.
sub buckets {
    my ($value, $type) = @_;

    for my $key (grep { /_count(?:\{|\z)/ } keys %$value) {
        my ($name, $labels) = $key =~ /\A(\w+)_count(\{.*\})?\z/;

        next if ($type->{$name} || '') ne 'histogram';

        my $inner = defined $labels ? substr($labels, 1, -1) . ',' : '';
        my @les = grep { /\A\Q${name}_bucket{$inner\Ele="[^"]+"\}\z/ }
                  keys %$value;
        my $bound = sub { $_[0] =~ /le="([^"]+)"\}\z/;
                          $1 eq '+Inf' ? 9e99 : $1 };
        my $last = 0;

        for my $le (sort { $bound->($a) <=> $bound->($b) } @les) {
            die "$le is less than the bucket before\n" if $value->{$le} < $last;
            $last = $value->{$le};
        }

        die "$name: no bucket +Inf\n"
            unless grep { /le="\+Inf"/ } @les;
        die "$name: the last bucket is not the count\n"
            unless $last == $value->{$key};
        die "$name: no sum\n" unless exists $value->{
            $name . '_sum' . (defined $labels ? $labels : '') };
    }
}


# No counter of the first is less, or is missing, in the second.
sub risen {
    my ($old, $new, $type) = @_;

    for my $key (sort keys %$old) {
        my ($name) = $key =~ /\A(\w+)/;
        my $base = $name =~ s/_(?:bucket|sum|count)\z//r;

        next unless ($type->{$name} || '') eq 'counter'
                 || ($type->{$base} || '') eq 'histogram';

        die "$key is missing\n" unless exists $new->{$key};
        die "$key went from $old->{$key} to $new->{$key}\n"
            if $new->{$key} < $old->{$key};
    }

    return 1;
}


# Of the package prometheus; '' where it isn't installed.
sub promtool_path {
    unless (defined $Promtool) {
        ($Promtool) = grep { -x } map { "$_/promtool" }
                      split(/:/, $ENV{PATH}), '/usr/bin';
        $Promtool = '' unless defined $Promtool;
    }

    return $Promtool;
}


sub promtool {
    my ($text) = @_;

    return 1 if promtool_path() eq '';

    my $file = "/tmp/im-metrics-$$";

    open my $out, '>', $file or die "$file: $!\n";
    print $out $text;
    close $out;

    my $said = `$Promtool check metrics < $file 2>&1`;
    my $status = $?;

    unlink $file;
    die "promtool: $said\n" if $status != 0;

    return 1;
}


1;
