using System.Globalization;
using System.Text;
using MemVirt.Simulation.Traces;

namespace MemVirt.Simulation.Tests.Traces;

/// <summary>Traces made up for the tests, and ways to read them whole.</summary>
internal static class TraceSamples
{
    /// <summary>Reads to the end or to the damage, through a buffer of any length.</summary>
    public static (List<MemoryReference> References, TraceException? Damage) ReadAll(ITraceReader reader, int bufferLength = 1000)
    {
        var references = new List<MemoryReference>();
        var buffer = new MemoryReference[bufferLength];
        try
        {
            for (int read; (read = reader.Read(buffer)) > 0;)
            {
                references.AddRange(buffer.AsSpan(0, read));
            }

            return (references, null);
        }
        catch (TraceException damage)
        {
            AssertIsOneLine(damage.Message);
            return (references, damage);
        }
    }

    /// <summary>Opens and reads a trace from memory; damage found on opening comes back as well.</summary>
    public static (List<MemoryReference> References, TraceException? Damage) ReadAll(
        string path, byte[] bytes, int bytesAtOnce = int.MaxValue, int bufferLength = 1000)
    {
        try
        {
            using ITraceReader reader = TraceFile.Open(path, Dribble(bytes, bytesAtOnce));
            return ReadAll(reader, bufferLength);
        }
        catch (TraceException damage)
        {
            AssertIsOneLine(damage.Message);
            return ([], damage);
        }
    }

    public static byte[] Ascii(string text) => Encoding.ASCII.GetBytes(text);

    public static Stream Dribble(byte[] bytes, int bytesAtOnce)
        => bytesAtOnce == int.MaxValue ? new MemoryStream(bytes) : new DribblingStream(bytes, bytesAtOnce);

    /// <summary>A walk through a made-up program: loops over basic blocks, a stack, strides, and now and then something odd.</summary>
    public static MemoryReference[] Program(int seed, int count)
    {
        var random = new Random(seed);
        var references = new List<MemoryReference>(count);
        ulong stride = 0x5000_0000;
        while (references.Count < count)
        {
            ulong fetch = 0x40_0000 + ((ulong)random.Next(40) * 96);
            int instructions = random.Next(1, 12);
            for (int i = 0; i < instructions; i++)
            {
                int length = 1 + (int)((fetch >> 3) % 7);
                references.Add(new MemoryReference(ReferenceKind.Fetch, fetch, length));
                fetch += (ulong)length;
                switch (random.Next(6))
                {
                    case 0:
                        references.Add(new MemoryReference(ReferenceKind.Load, stride += 64, 8));
                        break;
                    case 1:
                        ulong stack = 0x7FFF_FFF0_0000 - ((ulong)random.Next(32) * 8);
                        references.Add(new MemoryReference(ReferenceKind.Load, stack, 8));
                        references.Add(new MemoryReference(ReferenceKind.Store, stack, 8));
                        break;
                    case 2 when random.Next(50) == 0:
                        references.Add(Any(random));
                        break;
                }
            }
        }

        return references.Take(count).ToArray();
    }

    /// <summary>References without any order.</summary>
    public static MemoryReference[] Noise(int seed, int count)
    {
        var random = new Random(seed);
        return Enumerable.Range(0, count).Select(_ => Any(random)).ToArray();
    }

    /// <summary>The text lackey would write for references, a load and a store alike as one modify.</summary>
    public static string Lackey(ReadOnlySpan<MemoryReference> references)
    {
        var text = new StringBuilder("==1== Lackey, an example Valgrind tool\n");
        for (int i = 0; i < references.Length; i++)
        {
            MemoryReference reference = references[i];
            bool isModify = reference.Kind == ReferenceKind.Load && i + 1 < references.Length
                && references[i + 1] == new MemoryReference(ReferenceKind.Store, reference.Address, reference.SizeBytes);
            i += isModify ? 1 : 0;
            string prefix = isModify ? " M " : reference.Kind switch
            {
                ReferenceKind.Fetch => "I  ",
                ReferenceKind.Load => " L ",
                _ => " S ",
            };
            text.Append(prefix).Append(reference.Address.ToString("x8", CultureInfo.InvariantCulture)).Append(',')
                .Append(reference.SizeBytes).Append('\n');
        }

        return text.ToString();
    }

    public static byte[] Mvt(ReadOnlySpan<MemoryReference> references, int level = MvtWriter.FastLevel)
    {
        using var file = new MemoryStream();
        using (var writer = new MvtWriter(file, level, leaveOpen: true))
        {
            writer.Append(references);
            writer.Complete();
        }

        return file.ToArray();
    }

    public static void AssertIsOneLine(string message)
    {
        Assert.DoesNotContain('\n', message);
        Assert.DoesNotContain("   at ", message, StringComparison.Ordinal);
        Assert.NotEmpty(message);
    }

    private static MemoryReference Any(Random random)
    {
        while (true)
        {
            ulong address = (ulong)((random.NextInt64() << random.Next(16, 60)) >> 16);
            int size = random.Next(4) == 0 ? random.Next(1, MemoryReference.MaxSizeBytes + 1) : random.Next(1, 65);
            if (MemoryReference.IsValid(address, size))
            {
                return new MemoryReference((ReferenceKind)random.Next(3), address, size);
            }
        }
    }

    /// <summary>A pipe: cannot seek and gives a few bytes at a time.</summary>
    private sealed class DribblingStream(byte[] bytes, int bytesAtOnce) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        // A memory stream's Read of a span comes here as well.
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, bytesAtOnce));
    }
}
