namespace MemVirt.Oracle.Architecture;

/// <summary>Physical memory from 0; beyond its end reads give 0 and writes are lost.</summary>
public sealed class LiteralMemory(int frames)
{
    private readonly ulong[] _words = new ulong[frames * 512];

    public ulong Read(ulong address) => address >> 3 < (ulong)_words.Length ? _words[address >> 3] : 0;

    public void Write(ulong address, ulong value)
    {
        if (address >> 3 < (ulong)_words.Length)
        {
            _words[address >> 3] = value;
        }
    }
}
