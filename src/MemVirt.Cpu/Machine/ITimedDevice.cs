namespace MemVirt.Cpu.Machine;

/// <summary>A device that asked its <see cref="MachineClock"/> to be called.</summary>
public interface ITimedDevice
{
    /// <summary>The time asked for has come: <see cref="MachineClock.Now"/> is at or shortly past it. It may ask again.</summary>
    void Elapsed();
}
